extension TensorDocument {
    /// The paths of a record's N images (`path` u8 [N, L], each padded with zeros); nil where it has none.
    public func paths(_ N: Int) throws -> [String]? {
        guard tensors["path"] != nil else { return nil }
        let paths = try tensor("path", .u8, shape: [N, nil]), L = paths.shape[1]
        let bytes = try paths.integers().map { UInt8(truncatingIfNeeded: $0) }
        return (0..<N).map { n in String(decoding: bytes[n * L..<(n + 1) * L].prefix { $0 != 0 }, as: UTF8.self) }
    }
}
