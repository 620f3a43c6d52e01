extension Dictionary<String, String> {
    /// The value of `key` in the metadata of a stream, a record or a checkpoint, where it is a count: 0 to 2⁵³, so that adding to it
    /// and multiplying it a little cannot overflow. Anything else that another program may have written counts as absent.
    public func count(_ key: String) -> Int? {
        self[key].flatMap { Int($0) }.flatMap { 0...(1 << 53) ~= $0 ? $0 : nil }
    }

    /// The value of `key` where it is a JSON array of names, one or more, no two of them the same. Anything else that another program may have written counts
    /// as absent.
    public func names(_ key: String) -> [String]? {
        guard let text = self[key], let names = (try? JSON(parsing: text))?.asArray?.map(\.asString) else { return nil }
        let found = names.compactMap { $0 }
        return !found.isEmpty && found.count == names.count && Set(found).count == found.count ? found : nil
    }
}
