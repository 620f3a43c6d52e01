import Datasets
import Images
import ToolSupport

/// A sheet that shows what a recipe does: a row for each image, a column for each view, beneath each how it was made.
struct Preview {
    /// Images that are shown where no number is asked for.
    static let usualRows = 8
    private static let margin = 4
    /// Letters that have room beneath the narrowest view.
    private static let letters = 17

    fileprivate struct Cell {
        let pixels: [UInt8]
        let size: Int
        let lines: [String]
    }

    struct Row {
        fileprivate let cells: [Cell]
        fileprivate let height: Int
    }

    private let groups: [CropGroup]
    private(set) var rows: [Row] = []
    /// Of each view with its margin.
    private let widths: [Int]

    init(_ groups: [CropGroup]) {
        self.groups = groups
        widths = groups.flatMap { group in Array(repeating: max(group.size, Preview.letters * DotMatrix.width) + Preview.margin, count: group.views) }
    }

    /// JPEG's sides have 16 bits.
    private static let longestSide = 65500
    /// A sheet is in memory a few times.
    private static let mostPixels = 40_000_000

    /// - Throws: ``Failure`` `usage` where not even one row has room in a sheet.
    static func check(_ groups: [CropGroup]) throws { try check(Preview(groups).widths.reduce(margin, +), (groups.map(\.size).max() ?? 0) + 2 * margin) }

    private static func check(_ width: Int, _ height: Int) throws {
        guard width <= longestSide, height <= longestSide, width * height <= mostPixels else {
            throw Failure(.usage, "a sheet of \(width)×\(height) pixels is too large", remedy: "show fewer images (--limit), or fewer or smaller views")
        }
    }

    private var size: (width: Int, height: Int) {
        (widths.reduce(Preview.margin, +), rows.reduce(Preview.margin) { $0 + $1.height + Preview.margin })
    }

    /// Adds a row for image `index`.
    ///
    /// - Throws: ``Failure`` `data` for a broken image, `usage` where the sheet gets too large.
    mutating func add(_ index: Int, of data: Dataset, seed: UInt64, epoch: Int, on renderer: ViewRenderer) throws {
        try Preview.check(size.width, size.height + (groups.map(\.size).max() ?? 0) + Preview.margin)
        try data.decode(index, on: renderer)
        let (width, height) = (renderer.source.width, renderer.source.height)
        var cells: [Cell] = []
        for group in groups {
            for number in 0..<group.views {
                let view = group.view(number, width: width, height: height, seed: seed, epoch: epoch, item: index)
                var pixels = [UInt8](repeating: 0, count: group.size * group.size * 3)
                try unsafe pixels.withUnsafeMutableBufferPointer { try unsafe renderer.render(view, into: $0) }
                let words = (cells.isEmpty ? ["#\(index) \(width)x\(height)"] : []) + Preview.words(view)
                let letters = max(Preview.letters, group.size / DotMatrix.width)
                cells.append(Cell(pixels: pixels, size: group.size, lines: DotMatrix.lines(words, limit: letters)))
            }
        }
        let tallest = cells.map { $0.size + Preview.margin + $0.lines.count * DotMatrix.height }.max() ?? 0
        rows.append(Row(cells: cells, height: tallest))
        try Preview.check(size.width, size.height)
    }

    /// Writes the sheet: PNG where `path` ends with .png, else JPEG.
    func write(to path: String) throws {
        guard !rows.isEmpty else { throw Failure(.data, path: path, "there is no image to show") }
        let size = size
        var sheet = [UInt8](repeating: 255, count: size.width * size.height * 3)
        var top = Preview.margin
        for row in rows {
            var left = Preview.margin
            for (cell, width) in zip(row.cells, widths) {
                for y in 0..<cell.size {
                    let start = ((top + y) * size.width + left) * 3
                    sheet.replaceSubrange(start..<start + cell.size * 3, with: cell.pixels[y * cell.size * 3..<(y + 1) * cell.size * 3])
                }
                for (number, line) in cell.lines.enumerated() {
                    let base = top + cell.size + Preview.margin + number * DotMatrix.height
                    DotMatrix.draw(line) { x, y in
                        let start = ((base + y) * size.width + left + x) * 3
                        for channel in 0..<3 { sheet[start + channel] = 0 }
                    }
                }
                left += width
            }
            top += row.height + Preview.margin
        }
        let isPNG = path.lowercased().hasSuffix(".png")
        let encoded = isPNG
            ? PNG.encode(sheet, width: size.width, height: size.height)
            : try JPEG.encode(Image(width: size.width, height: size.height, pixels: sheet), quality: 90)
        try unsafe OutputFile.write(encoded.span.bytes, to: path)
    }

    /// "crop 12,30 140x90", "blur 1.3" …
    private static func words(_ view: View) -> [String] {
        let crop = view.crop
        return ["crop \(crop.left),\(crop.top) \(crop.width)x\(crop.height)"] + view.operations.map { operation in
            switch operation {
            case .colour(.brightness(let factor)): "brightness \(short(factor))"
            case .colour(.contrast(let factor)): "contrast \(short(factor))"
            case .colour(.saturation(let factor)): "saturation \(short(factor))"
            case .colour(.hue(let turn)): "hue \(short(turn))"
            case .colour(.grey): "grey"
            case .colour(.solarise(let threshold)): "solarise \(short(threshold))"
            case .colour(.posterise(let bits)): "posterise \(bits)"
            case .colour(.equalise): "equalise"
            case .colour(.autocontrast): "autocontrast"
            case .blur(let sigma): "blur \(short(sigma))"
            case .flip: "flip"
            case .sharpness(let factor): "sharpness \(short(factor))"
            case .affine(.shearX(let factor)): "shear x \(short(factor))"
            case .affine(.shearY(let factor)): "shear y \(short(factor))"
            case .affine(.translateX(let pixels)): "move x \(pixels)"
            case .affine(.translateY(let pixels)): "move y \(pixels)"
            case .affine(.rotate(let degrees)): "rotate \(short(degrees))"
            }
        }
    }

    /// With two places.
    private static func short(_ number: Double) -> String { Recipe.Step.text((number * 100).rounded() / 100) }
}
