import Kernels

/// Consecutive rows of an image (H, W, C), copied by blocks of sixteen channels with zeros around them: (block, slot, column, 16).
///
/// A ring: row i lies in slot i modulo the number of slots, and takes the place of an older one. Rows above and below the
/// image are zero, and so are columns beside it. Channels beyond the last are anything.
struct PaddedRows {
    struct Shape {
        /// Of the image.
        let height, width, C: Int
        /// Zero columns before the first.
        let before: Int
        let columns: Int
        /// A power of two, so that the slot of a row needs no division.
        let slots: Int

        /// - Parameter window: consecutive rows that must be there at once.
        init(height: Int, width: Int, C: Int, window: Int, before: Int, columns: Int) {
            (self.height, self.width, self.C, self.before) = (height, width, C, before)
            self.columns = max(columns, before + width)
            var slots = 1
            while slots < window { slots *= 2 }
            self.slots = slots
        }

        /// Floats of one block.
        var floats: Int { slots * columns * 16 }
    }

    let shape: Shape
    private let memory: UnsafeMutablePointer<Float>
    private let blocks: Range<Int>

    /// - Parameter blocks: of sixteen channels, that are copied.
    init(_ shape: Shape, _ memory: UnsafeMutablePointer<Float>, _ blocks: Range<Int>) {
        self.shape = shape
        self.memory = memory
        self.blocks = blocks
    }

    /// Where its memory ends.
    var end: UnsafeMutablePointer<Float> { memory + blocks.count * shape.floats }

    /// Zeros everywhere: what lies beside the image is never written again.
    func clear() { memory.update(repeating: 0, count: blocks.count * shape.floats) }

    /// Row `row`, from the first zero column on, of the block at `index` among those copied.
    @inline(__always)
    func row(_ row: Int, _ index: Int) -> UnsafePointer<Float> {
        UnsafePointer(memory + (index &* shape.slots &+ (row & (shape.slots &- 1))) &* shape.columns &* 16)
    }

    /// Copies one row of `image`, or makes it where it is still to be normalised; zeros where it has no such row.
    func load(_ row: Int, of image: UnsafePointer<Float>, _ normalized: NormalizedInput? = nil) {
        if let copy = copy(row, of: image) { normalized.withPrologue(copy) }
    }

    /// The same for a gradient.
    func load(_ row: Int, of image: UnsafePointer<Float>, _ gradient: NormalizedGradient?, from first: UnsafePointer<Float>) {
        if let copy = copy(row, of: image) { gradient.withPrologue(first, copy) }
    }

    /// What is to be copied, if anything is.
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
