/// Colours and shapes that distinguish classes. Both vary, so figures are readable without colour.
public enum Palette {
    /// The number of colours: `--c0` … in the style sheet.
    public static let colours = 8
    static let shapes = ["circle", "square", "triangle", "diamond"]

    public static func colour(_ number: Int) -> Int { number % colours }
    public static func shape(_ number: Int) -> String { shapes[number / colours % shapes.count] }

    /// The SVG path of a shape centred at (x, y) that extends about `r` to each side.
    public static func path(_ number: Int, _ x: Double, _ y: Double, _ r: Double) -> String {
        func at(_ dx: Double, _ dy: Double) -> String { "\(place(x + dx * r)) \(place(y + dy * r))" }
        switch shape(number) {
        case "square": return "M\(at(-0.85, -0.85))H\(place(x + 0.85 * r))V\(place(y + 0.85 * r))H\(place(x - 0.85 * r))Z"
        case "triangle": return "M\(at(0, -1.15))L\(at(1.05, 0.8))L\(at(-1.05, 0.8))Z"
        case "diamond": return "M\(at(0, -1.25))L\(at(1.05, 0))L\(at(0, 1.25))L\(at(-1.05, 0))Z"
        default: return "M\(at(-1, 0))A\(place(r)) \(place(r)) 0 1 1 \(at(1, 0))A\(place(r)) \(place(r)) 0 1 1 \(at(-1, 0))Z"
        }
    }

    private static func place(_ value: Double) -> String {
        // One decimal place: the view box is 1000 units wide, so a tenth is a ten-thousandth of the width.
        let tenths = Int((value * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : (tenths < 0 ? "-" : "") + "\(abs(tenths) / 10).\(abs(tenths) % 10)"
    }
}
