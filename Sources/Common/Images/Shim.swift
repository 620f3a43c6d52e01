public struct JPEGHeader { public init(_ bytes: UnsafeRawBufferPointer) throws {} }
