// TensorStreams
