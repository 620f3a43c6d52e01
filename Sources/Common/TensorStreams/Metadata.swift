extension Dictionary<String, String> {
    /// The value of `key` in the metadata of a stream, a record or a checkpoint, if it is a count from 0 to 2⁵³.
    ///
    /// The limit ensures that additions and small multiplications cannot overflow. Any other value, which another
    /// program may have written, counts as absent.
    public func count(_ key: String) -> Int? {
        self[key].flatMap { Int($0) }.flatMap { 0...(1 << 53) ~= $0 ? $0 : nil }
    }

    /// The value of `key` if it is a JSON array of one or more unique names. Any other value, which another program may
    /// have written, counts as absent.
    public func names(_ key: String) -> [String]? {
        guard let text = self[key], let names = (try? JSON(parsing: text))?.asArray?.map(\.asString) else { return nil }
        let found = names.compactMap { $0 }
        return !found.isEmpty && found.count == names.count && Set(found).count == found.count ? found : nil
    }
}
