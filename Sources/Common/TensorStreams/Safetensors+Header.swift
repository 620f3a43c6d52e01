import ToolSupport

extension Safetensors {
    /// The parsed contents of a header.
    ///
    /// The parser stores values directly, without an intermediate tree of JSON values, which would need thirty times
    /// the memory of the text. An invalid header stops it at the first value that does not belong there.
    struct Contents {
        struct Entry {
            var name: String
            var dtype: DType
            var shape: [Int]
            var range: Range<Int>

            var outline: TensorOutline { TensorOutline(name: name, dtype: dtype, shape: shape, byteCount: range.count) }
        }

        private(set) var metadata: [String: String] = [:]
        /// The tensors, sorted by byte offset.
        private(set) var entries: [Entry] = []
        private(set) var byteCount = 0

        init(header: [UInt8], limits: Limits) throws {
            guard header.first == UInt8(ascii: "{") else { throw Failure(.data, "has a header that does not start with '{'", remedy: "it may not be a safetensors document") }
            var parser = JSONParser(bytes: header)
            do {
                try read(&parser, limits)
            } catch let failure as Failure where failure.location != nil {
                // The parser's errors have a byte offset; the ones thrown below do not.
                throw Failure(.data, "has a broken JSON header, at its \(failure.location ?? "start"): \(failure.what)")
            }
            entries.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
            for entry in entries {
                guard entry.range.lowerBound == byteCount else {
                    throw Failure(.data, "has tensor \(Contents.shown(entry.name)) at offset \(entry.range.lowerBound) where \(byteCount) is expected")
                }
                byteCount = entry.range.upperBound
            }
        }

        var outline: DocumentOutline { DocumentOutline(metadata: metadata, tensors: entries.map(\.outline)) }

        private mutating func read(_ parser: inout JSONParser, _ limits: Limits) throws {
            var names: Set<String> = []
            try parser.members { parser, name, start in
                guard names.insert(name).inserted else { throw parser.repeated(name, at: start) }
                if name == metadataKey {
                    metadata = try Contents.metadata(&parser, limits)
                } else {
                    guard entries.count < limits.tensorCount else {
                        throw Failure(.data, "has more than \(limits.tensorCount) tensors, which is the limit")
                    }
                    entries.append(try Contents.entry(name, &parser, limits))
                }
            }
            try parser.finish()
        }

        private static func metadata(_ parser: inout JSONParser, _ limits: Limits) throws -> [String: String] {
            guard parser.isAt("{") else {
                _ = try parser.peekValue()
                throw Failure(.data, "has \(metadataKey) that is not a JSON object")
            }
            var metadata: [String: String] = [:]
            try parser.members { parser, key, start in
                guard metadata[key] == nil else { throw parser.repeated(key, at: start) }
                guard parser.isAt("\"") else {
                    _ = try parser.peekValue()
                    throw Failure(.data, "has \(metadataKey) \(shown(key)) that is not a string")
                }
                guard metadata.count < limits.metadataCount else {
                    throw Failure(.data, "has more than \(limits.metadataCount) entries of \(metadataKey), which is the limit")
                }
                metadata[key] = try parser.string()
            }
            return metadata
        }

        private static func shown(_ name: String) -> String { "'\(name.printableLine(limit: 80))'" }

        private static func entry(_ name: String, _ parser: inout JSONParser, _ limits: Limits) throws -> Entry {
            func failure(_ what: String) -> Failure { Failure(.data, "has tensor \(shown(name)) \(what)") }
            let incomplete = failure("without exactly dtype, shape and data_offsets")
            guard parser.isAt("{") else {
                _ = try parser.peekValue()
                throw incomplete
            }
            var dtype: DType?
            var shape: [Int]?, offsets: [Int]?
            try parser.members { parser, key, _ in
                switch key {
                case "dtype" where dtype == nil && parser.isAt("\""):
                    let type = try parser.string()
                    guard let known = DType(rawValue: type) else {
                        let all = DType.allCases.map(\.rawValue).joined(separator: ", ")
                        throw failure("of type \(type.printableLine(limit: 20)), which is none of \(all)")
                    }
                    dtype = known
                case "shape" where shape == nil && parser.isAt("["):
                    var sizes: [Int] = []
                    try parser.elements { parser in
                        guard sizes.count < limits.rank else { throw failure("of more than \(limits.rank) dimensions, which is the limit") }
                        guard let size = try parser.wholeNumber(), size >= 0 else { throw failure("with a size that is not a whole number") }
                        sizes.append(size)
                    }
                    shape = sizes
                case "data_offsets" where offsets == nil && parser.isAt("["):
                    var pair: [Int] = []
                    try parser.elements { parser in
                        guard pair.count < 2, let offset = try parser.wholeNumber() else { throw failure("whose data_offsets are not two rising numbers") }
                        pair.append(offset)
                    }
                    offsets = pair
                default:
                    _ = try parser.peekValue()
                    throw incomplete
                }
            }
            guard let dtype, let shape, let offsets else { throw incomplete }
            // Empty dimensions count as one here, so that later products of some of the sizes cannot overflow.
            var extent = dtype.size
            for size in shape {
                let (product, overflow) = extent.multipliedReportingOverflow(by: max(1, size))
                guard !overflow, product <= limits.documentBytes else { throw failure("of sizes \(shape), above the limit of \(limits.documentBytes) bytes") }
                extent = product
            }
            let byteCount = shape.contains(0) ? 0 : extent
            guard offsets.count == 2, offsets[0] >= 0, offsets[1] >= offsets[0] else { throw failure("whose data_offsets are not two rising numbers") }
            guard offsets[1] - offsets[0] == byteCount else {
                throw failure("in \(offsets[1] - offsets[0]) bytes where \(dtype.rawValue) \(shape) needs \(byteCount)")
            }
            guard offsets[1] <= limits.documentBytes else { throw failure("up to byte \(offsets[1]), above the limit of \(limits.documentBytes)") }
            return Entry(name: name, dtype: dtype, shape: shape, range: offsets[0]..<offsets[1])
        }
    }
}
