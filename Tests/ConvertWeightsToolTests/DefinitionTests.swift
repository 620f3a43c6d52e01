import Foundation
import TestSupport
import Testing

/// `--definition` and named heads, from outside.
@Suite struct DefinitionTests {
    let place: Workplace

    init() throws { place = try Workplace() }

    @Test func `a network of SEED's definition is told from torchvision's of the same name, wherever it is read`() throws {
        try place.perform("""
            initialize --network efficientnet-b0 --definition seed --head byol --embedding 24 -q -o a; initialize --network seed-efficientnet-b0 --head byol --embedding 24 -q -o b
            convert-weights a --network efficientnet-b0 --definition seed -q -o c; convert-weights a -q -o d; convert-weights -q --backbone a -o e
            synthesize -o shapes --train 4 --test 4 --size 64 -q; augment --data shapes/train --size 64 --batch 4 --recipe evaluation -q -o v
            embed -q --weights a --network efficientnet-b0 --definition seed v -o x; embed -q --weights a v -o y
            """)
        #expect(try place.run("inspect a").output.contains("seed-efficientnet-b0"))
        for (one, other) in [("a", "b"), ("c", "d"), ("x", "y")] {
            // Their provenance differs; their tensors do not.
            let result = try place.run("inspect --to-npy \(one).npy \(one) && inspect --to-npy \(other).npy \(other) && diff -r \(one).npy \(other).npy")
            #expect(result.status == 0, "\(result.output)\(result.error)")
        }
        for option in ["", "--definition torchvision"] {
            let result = try place.run("convert-weights a --network efficientnet-b0 \(option) -o out")
            #expect(result.status == 65 && result.error.contains("is no efficientnet-b0") && !place.exists("out"), "\(result.error)")
        }
    }

    @Test(arguments: [
        ("initialize --network resnet18 --definition seed -o out", "SEED has no definition of its own of 'resnet18'"), ("initialize --network vgg --definition seed -o out", "no network is named 'vgg'"),
        ("initialize --network resnet18 --definition keras -o out", "keras"), ("convert-weights w --definition seed -o out", "name one"),
        ("embed --weights w --network seed-efficientnet-b0 --definition torchvision v -o out", "torchvision has no definition of its own"),
        ("initialize --network resnet18 --head mocha -o out", "--head 'mocha' is neither layers nor a paper's head"), ("initialize --network resnet18 --head byol --hidden 8 -o out", "--hidden is of no use"),
        ("initialize --network resnet18 --head byol --embedding 0 -o out", "--embedding takes 1 to 65536"),
    ])
    func `what there is not is refused`(line: String, words: String) throws {
        try place.perform("initialize --network tiny-resnet10 -q -o w; synthesize -o shapes --train 4 --test 4 --size 16 -q; augment --data shapes/train --size 16 --batch 4 -q -o v")
        let result = try place.run(line)
        #expect(result.status == 64 && result.error.contains(words) && !place.exists("out"), "\(line): \(result.error)")
    }
}
