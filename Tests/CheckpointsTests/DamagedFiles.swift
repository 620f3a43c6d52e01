import Foundation
import TestSupport
import Testing
import ToolSupport

/// Damages a file of Tests/golden again and again: `read` must give it or a failure of the data, and nothing else.
///
/// - Parameters:
///   - kind: what the files are, for the tally: "files of torch.save".
///   - read: gives the failure with which the damaged bytes are refused.
func expectReadOrRefused(_ name: String, _ kind: String, rounds: Int, _ read: (Data) throws -> Failure?) throws {
    let whole = try Data(contentsOf: URL(filePath: golden(name)))
    var refused = 0, tally = Tally()
    for round in 0..<rounds {
        var random = Effort.random("\(kind) \(name)", round: round)
        let damage = Damage.random(size: whole.count, using: &random), failure = try read(damage.apply(to: whole))
        if failure != nil { refused += 1 }
        #expect(failure.map { [.data, .noInput].contains($0.kind) } ?? true, "\(damage), \(Effort.place(round)): \(String(describing: failure))")
        tally.add("\(damage.kind)")
    }
    #expect(refused > rounds / 10)
    Effort.report("damaged \(kind): \(tally)")
}
