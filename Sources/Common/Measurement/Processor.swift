import Platform

/// The machine's processor and the date, for the heading of a table.
enum Processor {
    /// Its name, where the system provides it, and its widest vectors: "AMD EPYC, AVX-512".
    static var name: String {
        let name = field("model name") ?? field("Model") ?? "processor"
        let flags = Set((field("flags") ?? "").split(separator: " "))
        let vectors = [("avx512f", "AVX-512"), ("avx2", "AVX2")].first { flags.contains($0.0[...]) }
        return name + (vectors.map { ", " + $0.1 } ?? "")
    }

    /// The system's value of `key` for the first processor, with single spaces.
    private static func field(_ key: String) -> String? {
        guard let file = fopen("/proc/cpuinfo", "r") else { return nil }
        defer { fclose(file) }
        var line: UnsafeMutablePointer<CChar>?
        var room = 0
        defer { free(line) }
        while getline(&line, &room, file) > 0, let text = line.map({ String(cString: $0) }) {
            let parts = text.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].hasPrefix(key) else { continue }
            let words = parts[1].split(whereSeparator: \.isWhitespace)
            if !words.isEmpty { return words.joined(separator: " ") }
        }
        return nil
    }

    /// Today's date, such as 2026-11-21.
    static var today: String {
        var now = time(nil), parts = tm()
        gmtime_r(&now, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
    }
}
