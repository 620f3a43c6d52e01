/// How the ranks of a training reach one another: processes that run the same program, numbered from 0.
///
/// All calls are collective: each rank makes the same ones in the same order, and each returns once this rank has what it waits for. One thread makes them (``Ranks``).
public protocol Communicator: AnyObject, Sendable {
    var rank: Int { get }
    /// How many ranks there are.
    var count: Int { get }

    /// Gives all ranks what each of them has: the part of rank r, `counts[r]` bytes long, lies behind those of the ranks before it. This rank's own lies there already.
    func allGather(_ all: UnsafeMutableRawPointer, counts: [Int]) throws

    /// Sends the numbers `outgoing[r]` of `values` to each rank r, and puts what comes from it into `incoming[r]` of `received`.
    func exchange(
        _ values: UnsafePointer<Float>, _ outgoing: [Range<Int>], into received: UnsafeMutablePointer<Float>, _ incoming: [Range<Int>]) throws

    /// Called every ``Ranks/pause`` seconds while there is no call.
    func idle()

    /// Ends all ranks, which then end with `status`. Called where this one cannot go on.
    func abort(status: Int32)

    /// Leaves the others, which leave too.
    func finish() throws
}
