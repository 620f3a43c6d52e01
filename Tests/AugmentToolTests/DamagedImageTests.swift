import Foundation
import TensorStreams
import TestSupport
import Testing

/// Folders of JPEG files damaged at random places.
struct DamagedImageTests {
    @Test func `damaged images are left out or seen, in bounded memory and the same with any number of threads`() throws {
        let odd = try DocumentFile.read(golden("odd-jpegs.safetensors.zst"))
        let names = odd.names.filter { $0.hasSuffix(".file") }
        let files = names.compactMap { odd.tensors[$0]?.withBytes { Data($0) } }
        var tally = Tally()
        for round in 0..<Effort.rounds(1, long: 40) {
            var random = Effort.random("pictures", round: round)
            let place = try Workplace()
            for number in 0..<200 {
                var file = files.randomElement(using: &random) ?? Data()
                for _ in 0..<Int.random(in: 1...3, using: &random) where !file.isEmpty {
                    let damage = Damage.random(size: file.count, using: &random)
                    file = damage.apply(to: file)
                    tally.add("\(damage.kind)")
                }
                try place.write(file, to: "data/class/\(number).jpg")
            }
            for threads in [1, 3] {
                // An image may have 178956970 pixels of three bytes each.
                let result = try place.run("ulimit -c 0; ulimit -v 4000000; augment --data data --size 16 --allow-bad --threads \(threads) -o \(threads)")
                let leftOut = result.lines.count { $0.hasSuffix("; left out") }
                #expect(result.status == 0 && result.lines.last?.contains("broken, left out") == true, "\(Effort.place(round)): \(result.status) \(result.error)")
                #expect(leftOut > 20 && result.lines.allSatisfy { $0.hasPrefix("augment: ") }, "\(Effort.place(round)): \(result.error)")
            }
            #expect(try place.bytes("1") == place.bytes("3") && !place.hasUnfinished, "\(Effort.place(round))")
        }
        Effort.report("damaged images given to augment: \(tally)")
    }
}
