import Datasets

/// A list of the images, for data that refers to them only by number: the `index` of a stream.
struct ImageList {
    /// A line for each image: number, label, class and path. A tab, a line feed or a backslash in a name is escaped
    /// with a backslash, as `\\t`, `\\n` and `\\\\`.
    let text: [UInt8]

    /// - Parameter images: the numbers of the images.
    init(_ data: Dataset, _ images: Set<Int>) {
        var text: [UInt8] = []
        for index in images.sorted() {
            let sample = data.samples[index], label = Int(sample.label)
            text += Array("\(index)\t\(label)\t".utf8)
            text += Self.escaped(Array((data.classes.indices.contains(label) ? data.classes[label] : "").utf8)) + [UInt8(ascii: "\t")]
            text += Self.escaped(sample.pathBytes) + [UInt8(ascii: "\n")]
        }
        self.text = text
    }

    private static func escaped(_ name: [UInt8]) -> [UInt8] {
        name.flatMap { byte -> [UInt8] in
            switch byte {
            case UInt8(ascii: "\t"): Array("\\t".utf8)
            case UInt8(ascii: "\n"): Array("\\n".utf8)
            case UInt8(ascii: "\\"): Array("\\\\".utf8)
            default: [byte]
            }
        }
    }
}
