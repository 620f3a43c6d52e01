import Measurement
import Testing

/// Turns with a simulated machine that is slow at given times. Each check is three probes.
struct SteadinessTests {
    /// A machine that is as fast as `looks` say, one after the other, and then fast.
    func machine(_ looks: [Bool]) -> Steadiness {
        var next = -10
        return Steadiness {
            defer { next += 1 }
            return next < 0 || next / 3 >= looks.count || looks[next / 3] ? 0.010 : 0.014
        }
    }

    @Test(arguments: [
        ([true, true], 1, 0), ([true, false, true, true], 3, 0), ([false, true, true], 2, 0), ([false, false, false, true, true], 4, 0),
        ([false, false, false, false, false, false], 5, 1), ([true, false, true, false, true, false], 5, 1),
    ] as [([Bool], Int, Int)])
    func `a turn counts when the machine was fast before and after it`(looks: [Bool], taken: Int, unsteady: Int) {
        let steadiness = machine(looks)
        var turns = 0
        let seconds = steadiness.steady {
            turns += 1
            return Double(turns)
        }
        #expect(turns == taken && seconds == Double(taken), "the last turn counts")
        #expect(steadiness.turns == 1 && steadiness.again == taken - 1 && steadiness.unsteady == unsteady)
        #expect((steadiness.note == nil) == (taken == 1))
    }

    @Test func `little less than the peak is steady, and a new peak is remembered`() {
        // Checks before and after the first turn, then around the second, which is repeated until the machine is fast
        // on both sides.
        var probes = [0.0105, 0.0105, 0.0075, 0.0105, 0.0075, 0.0075].flatMap { [$0, $0, $0] }.makeIterator()
        var first = 10
        let steadiness = Steadiness {
            first -= 1
            return first >= 0 ? 0.010 : probes.next() ?? .nan
        }
        #expect(steadiness.steady { 1 } == 1 && steadiness.again == 0)
        #expect(steadiness.steady { 1 } == 1 && steadiness.again == 2, "0.0105 is too slow since 0.0075 was seen")
    }

    @Test func `a failure goes through`() {
        struct Failure: Error {}
        #expect(throws: Failure.self) { try machine([true]).steady { throw Failure() } }
    }
}
