import Datasets
import Images
import ToolSupport

/// A contact sheet that shows the effect of a recipe: a row for each image, a column for each view, and below each view
/// how it was made.
struct Preview {
    /// The default number of images.
    static let usualRows = 8

    private let groups: [CropGroup]
    private var sheet: Sheet

    init(_ groups: [CropGroup]) {
        self.groups = groups
        sheet = Sheet(columns: groups.flatMap { Array(repeating: $0.size, count: $0.views) })
    }

    var rows: Int { sheet.rowCount }

    /// - Throws: a ``Failure`` of kind `usage` where not even one row fits on a sheet.
    static func check(_ groups: [CropGroup]) throws { try Preview(groups).sheet.check() }

    /// Adds a row for image `index`.
    ///
    /// - Throws: a ``Failure``: `data` for a broken image, `usage` where the sheet gets too large.
    mutating func add(_ index: Int, of data: Dataset, seed: UInt64, epoch: Int, on renderer: ViewRenderer) throws {
        try sheet.check()
        try data.decode(index, on: renderer)
        let (width, height) = (renderer.source.width, renderer.source.height)
        var cells: [Sheet.Cell] = []
        for group in groups {
            for number in 0..<group.views {
                let view = group.view(number, width: width, height: height, seed: seed, epoch: epoch, item: index)
                var pixels = [UInt8](repeating: 0, count: group.size * group.size * 3)
                try unsafe pixels.withUnsafeMutableBufferPointer { try unsafe renderer.render(view, into: $0) }
                cells.append(Sheet.Cell(pixels, size: group.size, words: (cells.isEmpty ? ["#\(index) \(width)x\(height)"] : []) + Preview.words(view)))
            }
        }
        try sheet.add(cells)
    }

    /// Writes the sheet: as PNG where `path` ends with .png, else as JPEG.
    func write(to path: String) throws { try sheet.write(to: path) }

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

    /// With two decimal places.
    private static func short(_ number: Double) -> String { Recipe.Step.text((number * 100).rounded() / 100) }
}
