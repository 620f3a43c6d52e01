import CProcessor

/// A few rows of a product, kept in registers while it is summed.
///
/// A tile is composed of smaller ones (``Stack``), so that its size is a type and every row is a separate variable.
/// Only then does the compiler keep it in registers.
protocol ProductTile {
    static var rows: Int { get }
    /// The number of floats in a row.
    static var width: Int { get }
    /// Sets all elements to zero.
    init()
    /// Adds a·b, where a is a column with `stride` floats between rows, and b a row of ``width`` floats.
    mutating func addProduct(_ a: UnsafePointer<Float>, stride: Int, _ b: Row)
    /// Loads rows at `c`, `stride` floats apart.
    init(_ c: UnsafePointer<Float>, stride: Int)
    func store(_ c: UnsafeMutablePointer<Float>, stride: Int)

    associatedtype Row: ProductTile where Row.Row == Row
}

/// A tile of floats.
protocol Tile: ProductTile where Row: Tile {
    /// Sets every row to `row`.
    init(repeating row: UnsafePointer<Float>)
    /// Adds the rows at `c`.
    mutating func add(_ c: UnsafePointer<Float>, stride: Int)
    /// Replaces negative elements by zero.
    mutating func rectify()
    /// Like `store`, with non-temporal stores; every row of `c` must be aligned to a cache line.
    func storeNonTemporal(_ c: UnsafeMutablePointer<Float>, stride: Int)
    /// The first row.
    var first: Row { get }
    /// Adds Σ d to `sum` and Σ d² to `squares`, where d is the difference between a row and `origin`.
    func addDistances(from origin: Row, to sum: inout Row, _ squares: inout Row)
}

/// One row of 32 floats: two registers of AVX-512.
struct WideRow: Tile {
    private var left: Vector
    private var right: Vector

    static var rows: Int { @inline(__always) get { 1 } }
    static var width: Int { @inline(__always) get { 32 } }
    @inline(__always) init() {
        left = Vector(repeating: 0)
        right = left
    }
    @inline(__always) init(_ c: UnsafePointer<Float>, stride: Int) {
        left = c.vector(0)
        right = c.vector(16)
    }
    @inline(__always) init(repeating row: UnsafePointer<Float>) { self.init(row, stride: 0) }
    @inline(__always) mutating func add(_ c: UnsafePointer<Float>, stride: Int) {
        left += c.vector(0)
        right += c.vector(16)
    }
    @inline(__always) mutating func addProduct(_ a: UnsafePointer<Float>, stride: Int, _ b: WideRow) {
        let a = Vector(repeating: a.pointee)
        left = left.addingProduct(a, b.left)
        right = right.addingProduct(a, b.right)
    }
    @inline(__always) mutating func rectify() {
        left = pointwiseMax(left, Vector(repeating: 0))
        right = pointwiseMax(right, Vector(repeating: 0))
    }
    @inline(__always) func store(_ c: UnsafeMutablePointer<Float>, stride: Int) {
        c.store(left, 0)
        c.store(right, 16)
    }
    @inline(__always) func storeNonTemporal(_ c: UnsafeMutablePointer<Float>, stride: Int) {
        seed_store_nontemporal(c, left)
        seed_store_nontemporal(c + 16, right)
    }
    var first: WideRow { @inline(__always) get { self } }
    @inline(__always) func addDistances(from origin: WideRow, to sum: inout WideRow, _ squares: inout WideRow) {
        let (l, r) = (left - origin.left, right - origin.right)
        sum.left += l
        sum.right += r
        squares.left = squares.left.addingProduct(l, l)
        squares.right = squares.right.addingProduct(r, r)
    }
    typealias Row = WideRow
}

/// One row of 16 floats: one register of AVX-512, two of AVX2, four of NEON.
struct NarrowRow: Tile {
    private var all: Vector

    static var rows: Int { @inline(__always) get { 1 } }
    static var width: Int { @inline(__always) get { 16 } }
    @inline(__always) init() { all = Vector(repeating: 0) }
    @inline(__always) init(_ c: UnsafePointer<Float>, stride: Int) { all = c.vector(0) }
    @inline(__always) init(repeating row: UnsafePointer<Float>) { all = row.vector(0) }
    @inline(__always) mutating func add(_ c: UnsafePointer<Float>, stride: Int) { all += c.vector(0) }
    @inline(__always) mutating func addProduct(_ a: UnsafePointer<Float>, stride: Int, _ b: NarrowRow) {
        all = all.addingProduct(Vector(repeating: a.pointee), b.all)
    }
    @inline(__always) mutating func rectify() { all = pointwiseMax(all, Vector(repeating: 0)) }
    @inline(__always) func store(_ c: UnsafeMutablePointer<Float>, stride: Int) { c.store(all, 0) }
    @inline(__always) func storeNonTemporal(_ c: UnsafeMutablePointer<Float>, stride: Int) { seed_store_nontemporal(c, all) }
    var first: NarrowRow { @inline(__always) get { self } }
    @inline(__always) func addDistances(from origin: NarrowRow, to sum: inout NarrowRow, _ squares: inout NarrowRow) {
        let d = all - origin.all
        sum.all += d
        squares.all = squares.all.addingProduct(d, d)
    }
    typealias Row = NarrowRow
}

/// One row of 8 floats: half a register of AVX-512, one of AVX2, two of NEON. For groups with few channels, and for the
/// remainder of a matrix.
struct HalfRow: Tile {
    private var all: SIMD8<Float>

    static var rows: Int { @inline(__always) get { 1 } }
    static var width: Int { @inline(__always) get { 8 } }
    @inline(__always) init() { all = .zero }
    @inline(__always) init(_ c: UnsafePointer<Float>, stride: Int) { all = c.half(0).lowHalf }
    @inline(__always) init(repeating row: UnsafePointer<Float>) { all = row.half(0).lowHalf }
    @inline(__always) mutating func add(_ c: UnsafePointer<Float>, stride: Int) { all += c.half(0).lowHalf }
    @inline(__always) mutating func addProduct(_ a: UnsafePointer<Float>, stride: Int, _ b: HalfRow) {
        all = all.addingProduct(SIMD8(repeating: a.pointee), b.all)
    }
    @inline(__always) mutating func rectify() { all.replace(with: 0, where: all .< 0) }
    @inline(__always) func store(_ c: UnsafeMutablePointer<Float>, stride: Int) { c.storeHalf(Vector(lowHalf: all, highHalf: .zero), 0) }
    /// This does not write whole cache lines, so the store is a regular one.
    @inline(__always) func storeNonTemporal(_ c: UnsafeMutablePointer<Float>, stride: Int) { store(c, stride: stride) }
    var first: HalfRow { @inline(__always) get { self } }
    @inline(__always) func addDistances(from origin: HalfRow, to sum: inout HalfRow, _ squares: inout HalfRow) {
        let d = all - origin.all
        sum.all += d
        squares.all = squares.all.addingProduct(d, d)
    }
    typealias Row = HalfRow
}

/// The rows of one tile above those of another.
struct Stack<Upper: ProductTile, Lower: ProductTile>: ProductTile where Upper.Row == Lower.Row {
    private var upper: Upper
    private var lower: Lower

    static var rows: Int { @inline(__always) get { Upper.rows &+ Lower.rows } }
    static var width: Int { @inline(__always) get { Upper.width } }
    @inline(__always) init() {
        upper = Upper()
        lower = Lower()
    }
    @inline(__always) init(_ c: UnsafePointer<Float>, stride: Int) {
        upper = Upper(c, stride: stride)
        lower = Lower(c + Upper.rows &* stride, stride: stride)
    }
    @inline(__always) mutating func addProduct(_ a: UnsafePointer<Float>, stride: Int, _ b: Upper.Row) {
        upper.addProduct(a, stride: stride, b)
        lower.addProduct(a + Upper.rows &* stride, stride: stride, b)
    }
    @inline(__always) func store(_ c: UnsafeMutablePointer<Float>, stride: Int) {
        upper.store(c, stride: stride)
        lower.store(c + Upper.rows &* stride, stride: stride)
    }
    typealias Row = Upper.Row
}

extension Stack: Tile where Upper: Tile, Lower: Tile {
    @inline(__always) init(repeating row: UnsafePointer<Float>) {
        upper = Upper(repeating: row)
        lower = Lower(repeating: row)
    }
    @inline(__always) mutating func add(_ c: UnsafePointer<Float>, stride: Int) {
        upper.add(c, stride: stride)
        lower.add(c + Upper.rows &* stride, stride: stride)
    }
    @inline(__always) mutating func rectify() {
        upper.rectify()
        lower.rectify()
    }
    @inline(__always) func storeNonTemporal(_ c: UnsafeMutablePointer<Float>, stride: Int) {
        upper.storeNonTemporal(c, stride: stride)
        lower.storeNonTemporal(c + Upper.rows &* stride, stride: stride)
    }
    var first: Row { @inline(__always) get { upper.first } }
    @inline(__always) func addDistances(from origin: Row, to sum: inout Row, _ squares: inout Row) {
        upper.addDistances(from: origin, to: &sum, &squares)
        lower.addDistances(from: origin, to: &sum, &squares)
    }
}

typealias Two<R: ProductTile> = Stack<R, R> where R.Row == R
typealias Four<R: ProductTile> = Stack<Two<R>, Two<R>> where R.Row == R
typealias Six<R: ProductTile> = Stack<Four<R>, Two<R>> where R.Row == R
typealias Eight<R: ProductTile> = Stack<Four<R>, Four<R>> where R.Row == R
typealias Ten<R: ProductTile> = Stack<Eight<R>, Two<R>> where R.Row == R
typealias Twelve<R: ProductTile> = Stack<Eight<R>, Four<R>> where R.Row == R
typealias Fourteen<R: ProductTile> = Stack<Twelve<R>, Two<R>> where R.Row == R
