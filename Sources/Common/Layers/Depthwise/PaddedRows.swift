import Kernels

/// Consecutive rows of an image (H, W, C), copied in blocks of sixteen channels with zeros around them: (block, slot,
/// column, 16).
///
/// This is a ring buffer: row i lies in slot i modulo the number of slots and replaces an older row. Rows above and
/// below the image and columns beside it are zero. Channels past the last are undefined.
struct PaddedRows {
    struct Shape {
        /// The size of the image.
        let height, width, C: Int
        /// The number of zero columns before the first.
        let before: Int
        let columns: Int
        /// A power of two, so that the slot of a row needs no division.
        let slots: Int

        /// - Parameter window: the number of consecutive rows that must be present at once.
        init(height: Int, width: Int, C: Int, window: Int, before: Int, columns: Int) {
            (self.height, self.width, self.C, self.before) = (height, width, C, before)
            self.columns = max(columns, before + width)
            var slots = 1
            while slots < window { slots *= 2 }
            self.slots = slots
        }

        /// The number of floats in one block.
        var floats: Int { slots * columns * 16 }
    }

    let shape: Shape
    private let memory: UnsafeMutablePointer<Float>
    private let blocks: Range<Int>

    /// - Parameter blocks: the blocks of sixteen channels to copy.
    init(_ shape: Shape, _ memory: UnsafeMutablePointer<Float>, _ blocks: Range<Int>) {
        self.shape = shape
        self.memory = memory
        self.blocks = blocks
    }

    /// The end of its memory.
    var end: UnsafeMutablePointer<Float> { memory + blocks.count * shape.floats }

    /// Clears the whole buffer. The columns beside the image are never written again.
    func clear() { memory.update(repeating: 0, count: blocks.count * shape.floats) }

    /// Row `row`, starting at the first zero column, of the block at `index` among those copied.
    @inline(__always)
    func row(_ row: Int, _ index: Int) -> UnsafePointer<Float> {
        UnsafePointer(memory + (index &* shape.slots &+ (row & (shape.slots &- 1))) &* shape.columns &* 16)
    }

    /// Copies one row of `image`, normalising it if that is still to be done. Rows outside the image become zero.
    func load(_ row: Int, of image: UnsafePointer<Float>, _ normalized: NormalizedInput? = nil) {
        if let copy = copy(row, of: image) { normalized.withPrologue(copy) }
    }

    /// The same for a gradient.
    func load(_ row: Int, of image: UnsafePointer<Float>, _ gradient: NormalizedGradient?, from first: UnsafePointer<Float>) {
        if let copy = copy(row, of: image) { gradient.withPrologue(first, copy) }
    }

    /// The copy to perform, or nil if the row is outside the image.
    private func copy(_ row: Int, of image: UnsafePointer<Float>) -> Copy? {
        let first = memory + ((row & (shape.slots - 1)) * shape.columns + shape.before) * 16
        guard row >= 0, row < shape.height else {
            for index in 0..<blocks.count { (first + index * shape.floats).update(repeating: 0, count: shape.width * 16) }
            return nil
        }
        return Copy(source: image + row * shape.width * shape.C, target: first, shape: shape, blocks: blocks)
    }

    private struct Copy: PrologueBody {
        let source: UnsafePointer<Float>
        let target: UnsafeMutablePointer<Float>
        let shape: Shape
        let blocks: Range<Int>

        func run<R: Prologue>(_ prologue: R) {
            let channel = blocks.lowerBound * 16, whole = min(blocks.upperBound, shape.C / 16) - blocks.lowerBound
            let (floats, rest) = (shape.floats, whole < blocks.count ? shape.C % 16 : 0)
            var source = source + channel
            let ahead = shape.width &* shape.C
            for column in 0..<shape.width {
                var target = target + column &* 16
                for index in 0..<whole {
                    prologue.prefetch(source + (index &* 16 &+ ahead))
                    target.store(prologue.value(source + index &* 16, channel &+ index &* 16, lanes: 16), 0)
                    target += floats
                }
                if rest > 0 { target.store(prologue.value(source + whole &* 16, channel &+ whole &* 16, lanes: rest), 0) }
                source += shape.C
            }
        }
    }
}
