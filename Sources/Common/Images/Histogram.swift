/// The histogram of each channel of an image, and the lookup tables that Pillow's `ImageOps` derives from it.
struct Histogram {
    /// 3 · 256: red, green, blue.
    private let counts: [Int]

    init(_ canvas: Canvas) {
        var counts = [Int](repeating: 0, count: 3 * 256)
        counts.withUnsafeMutableBufferPointer { counts in
            let pixels = canvas.bytes
            for pixel in 0..<canvas.width * canvas.height {
                counts[Int(pixels[4 &* pixel])] &+= 1
                counts[256 &+ Int(pixels[4 &* pixel &+ 1])] &+= 1
                counts[512 &+ Int(pixels[4 &* pixel &+ 2])] &+= 1
            }
        }
        self.counts = counts
    }

    /// `ImageOps.equalize`: each value is replaced by the share of pixels below it.
    var equalised: [UInt8] {
        table { counts in
            guard let last = counts.lastIndex(where: { $0 > 0 }), counts.firstIndex(where: { $0 > 0 }) != last else { return nil }
            let step = (counts.reduce(0, +) - counts[last]) / 255
            guard step > 0 else { return nil }
            var sum = step / 2
            return counts.map { count in
                defer { sum += count }
                return UInt8(min(255, sum / step))
            }
        }
    }

    /// `ImageOps.autocontrast`: the smallest value becomes 0, the largest 255.
    var stretched: [UInt8] {
        table { counts in
            guard let first = counts.firstIndex(where: { $0 > 0 }), let last = counts.lastIndex(where: { $0 > 0 }), last > first else { return nil }
            let scale = 255 / Double(last - first)
            let offset = -Double(first) * scale
            return (0..<256).map { UInt8(min(max(Int(Double($0) * scale + offset), 0), 255)) }
        }
    }

    /// The concatenated tables of the channels; a channel without a table is unchanged.
    private func table(_ channel: ([Int]) -> [UInt8]?) -> [UInt8] {
        var table: [UInt8] = []
        for first in [0, 256, 512] { table += channel(Array(counts[first..<first + 256])) ?? [UInt8](0...255) }
        return table
    }
}

extension Canvas {
    /// Maps each channel through its table of 256 entries (3 · 256).
    func apply(table: [UInt8]) {
        precondition(table.count == 3 * 256)
        table.withUnsafeBufferPointer { table in
            for pixel in 0..<width * height {
                let at = bytes + 4 &* pixel
                at[0] = table[Int(at[0])]
                at[1] = table[256 &+ Int(at[1])]
                at[2] = table[512 &+ Int(at[2])]
            }
        }
    }
}
