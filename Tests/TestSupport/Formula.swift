/// Pseudo-random numbers in [-1, 1): a hash of (name, i), as in `Tests/golden/networks.py`.
///
/// Golden tests take their weights from it, so that no large file is needed.
public func formula(_ name: String, _ count: Int) -> [Float] {
    var h: UInt32 = 2_166_136_261
    for byte in name.utf8 { h = (h ^ UInt32(byte)) &* 16_777_619 }
    return (0..<count).map { i in
        var x = UInt32(truncatingIfNeeded: i) &* 2_654_435_761 &+ h
        x ^= x >> 15
        x = x &* 2_246_822_519
        x ^= x >> 13
        x = x &* 3_266_489_917
        x ^= x >> 16
        return Float(Double(x) / 0x1p31 - 1)
    }
}

/// The path of a file in Tests/golden.
public func golden(_ name: String, file: String = #filePath) -> String {
    let folder = file.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
    return "\(folder)/golden/\(name)"
}

/// ‖a − b‖ / ‖b‖
public func relativeError(_ a: [Float], _ b: [Double]) -> Double {
    precondition(a.count == b.count)
    let difference = zip(a, b).reduce(0) { $0 + (Double($1.0) - $1.1) * (Double($1.0) - $1.1) }
    let size = b.reduce(0) { $0 + $1 * $1 }
    return (difference / max(size, 1e-300)).squareRoot()
}
