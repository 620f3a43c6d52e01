import ToolSupport

/// A contact sheet: rows of square images with a few words below each, as one image for people.
///
///     var sheet = Sheet(columns: [64, 64])
///     try sheet.add([Sheet.Cell(pixels, size: 64, words: ["#3", "blur 1.3"]), …])
///     try sheet.write(to: "sheet.png")
public struct Sheet {
    private static let margin = 4
    /// The minimum number of letters per line below an image.
    private static let letters = 17
    /// JPEG stores sides in 16 bits.
    private static let longestSide = 65500
    /// Limited because several copies of a sheet are in memory.
    private static let mostPixels = 40_000_000

    public struct Cell {
        fileprivate let pixels: [UInt8]
        fileprivate let size: Int
        fileprivate let lines: [String]

        /// - Parameters:
        ///   - pixels: size · size · 3 bytes; empty for an image that cannot be shown.
        ///   - words: each stays on one line if it fits.
        public init(_ pixels: [UInt8], size: Int, words: [String]) {
            precondition(pixels.isEmpty || pixels.count == size * size * 3)
            (self.pixels, self.size) = (pixels, size)
            lines = DotMatrix.lines(words, limit: max(Sheet.letters, size / DotMatrix.width))
        }

        fileprivate var height: Int { size + Sheet.margin + lines.count * DotMatrix.height }
    }

    /// The width of each column with its margin.
    private let widths: [Int]
    private let tallest: Int
    private var rows: [[Cell]] = []

    /// - Parameter sizes: the image sizes of the columns.
    public init(columns sizes: [Int]) {
        widths = sizes.map { max($0, Sheet.letters * DotMatrix.width) + Sheet.margin }
        tallest = sizes.max() ?? 0
    }

    public var rowCount: Int { rows.count }

    /// - Throws: a ``Failure`` of kind `usage` where this many more rows do not fit, even without text below their
    ///   images.
    public func check(rows: Int = 1) throws { try check(height: size.height + rows * (tallest + Sheet.margin)) }

    private func check(height: Int) throws {
        let width = size.width
        guard width <= Sheet.longestSide, height <= Sheet.longestSide, width * height <= Sheet.mostPixels else {
            throw Failure(.usage, "a sheet of \(width)×\(height) pixels is too large", remedy: "show fewer images, or smaller ones")
        }
    }

    private var size: (width: Int, height: Int) {
        (widths.reduce(Sheet.margin, +), rows.reduce(Sheet.margin) { $0 + Sheet.height($1) + Sheet.margin })
    }

    private static func height(_ row: [Cell]) -> Int { row.map(\.height).max() ?? 0 }

    /// Adds a row with at most as many cells as there are columns.
    ///
    /// - Throws: a ``Failure`` of kind `usage` where the sheet gets too large.
    public mutating func add(_ cells: [Cell]) throws {
        precondition(cells.count <= widths.count)
        rows.append(cells)
        try check(height: size.height)
    }

    /// Writes the sheet: as PNG where `path` ends with .png, else as JPEG.
    public func write(to path: String) throws {
        guard !rows.isEmpty else { throw Failure(.data, path: path, "there is no image to show") }
        let size = size
        var sheet = [UInt8](repeating: 255, count: size.width * size.height * 3)
        var top = Sheet.margin
        for row in rows {
            var left = Sheet.margin
            for (cell, width) in zip(row, widths) {
                for y in 0..<(cell.pixels.isEmpty ? 0 : cell.size) {
                    let start = ((top + y) * size.width + left) * 3
                    sheet.replaceSubrange(start..<start + cell.size * 3, with: cell.pixels[y * cell.size * 3..<(y + 1) * cell.size * 3])
                }
                for (number, line) in cell.lines.enumerated() {
                    let base = top + cell.size + Sheet.margin + number * DotMatrix.height
                    DotMatrix.draw(line) { x, y in
                        let start = ((base + y) * size.width + left + x) * 3
                        for channel in 0..<3 { sheet[start + channel] = 0 }
                    }
                }
                left += width
            }
            top += Sheet.height(row) + Sheet.margin
        }
        let isPNG = path.lowercased().hasSuffix(".png")
        let encoded = isPNG
            ? PNG.encode(sheet, width: size.width, height: size.height)
            : try JPEG.encode(Image(width: size.width, height: size.height, pixels: sheet), quality: 90)
        try OutputFile.write(encoded.span.bytes, to: path)
    }
}
