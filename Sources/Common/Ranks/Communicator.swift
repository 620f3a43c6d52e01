/// The connection between the ranks of a training: processes that run the same program, numbered from 0.
///
/// All calls are collective: each rank makes the same calls in the same order, and each call returns once this rank
/// has its result. A single thread makes them (``Ranks``).
public protocol Communicator: AnyObject, Sendable {
    var rank: Int { get }
    /// The number of ranks.
    var count: Int { get }

    /// Gathers the parts of all ranks on every rank.
    ///
    /// The part of rank r, `counts[r]` bytes long, comes after those of the ranks before it. This rank's own part is
    /// already in place.
    func allGather(_ all: UnsafeMutableRawPointer, counts: [Int]) throws

    /// Sends the range `outgoing[r]` of `values` to each rank r, and stores the data from it in the range
    /// `incoming[r]` of `received`.
    func exchange(
        _ values: UnsafePointer<Float>, _ outgoing: [Range<Int>], into received: UnsafeMutablePointer<Float>, _ incoming: [Range<Int>]) throws

    /// Called every ``Ranks/pause`` seconds while there is no other call.
    func idle()

    /// Ends all ranks with `status`. Called where this rank cannot continue.
    func abort(status: Int32)

    /// Disconnects from the other ranks, which disconnect too.
    func finish() throws
}
