extension String {
    /// The string as a CSV field (RFC 4180), quoted where it contains a separator, a quote or a line break.
    public var csvField: String {
        guard utf8.contains(where: { [0x22, 0x2C, 0x0A, 0x0D].contains($0) }) else { return self }
        return "\"" + split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}
