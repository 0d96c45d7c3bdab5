"""A checkpoint for elsewhere: one ONNX file, a page without a server, a repository on the Hub."""
