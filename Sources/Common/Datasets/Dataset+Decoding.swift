public import Images
import ToolSupport

extension Dataset {
    /// Decodes image `index`.
    ///
    /// - Throws: a ``Failure`` with the image's location: `data` for a broken one.
    public func decode(_ index: Int, on renderer: ViewRenderer) throws {
        let reader = try reader(index)
        do {
            try unsafe renderer.decode { unsafe try reader.read(into: $0, at: $1) }
        } catch var failure as Failure {
            failure.path = failure.path ?? location(of: index)
            throw failure
        }
    }
}
