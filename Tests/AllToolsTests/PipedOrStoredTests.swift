import Foundation
import TensorStreams
import Testing
import TestSupport

/// The same work leaves the same bytes, whether its data was piped or stored.
struct PipedOrStoredTests {
    let place: Workplace

    init() throws {
        place = try Workplace()
        try place.perform("""
            synthesize -o s --train 32 --test 16 --classes 2 --size 16 --shards 1 -q
            initialize --network tiny-resnet10 -q -o w; initialize --network tiny-resnet10 --seed 1 -q -o student
            """)
    }

    private let augment = "augment --data s/train --size 16 --batch 8 -q", embed = "embed --weights w -q", train = "train-step --student student --queue-size 8 -q"

    @Test func `a pipeline and its stages one by one end in the same bytes`() throws {
        try place.perform("""
            \(augment) | \(embed) | \(train) -o piped
            \(augment) -o v --level 9
            \(embed) v --output=e --level=1 --threads 3
            \(train) e -o stored --log l --log-interval 2 --timing t --threads 1
            mkdir 'a folder'; cp student 'a folder/other name'
            \(train.replacing("--student student", with: "--student 'a folder/other name'")) -o other -- e
            \(embed) - < v > e1; \(embed) v > e2; cat v | \(embed) > e3; \(embed) --timing t -o e4 v
            \(embed) --level 3 -o e5 --profile v; \(embed) --level -1 -o e6 v
            cmp piped stored; cmp piped other; cmp e1 e2; cmp e2 e3; cmp e1 e5
            """)
        let (header, _) = try place.read("e4")
        #expect(header.provenance.lines == ["augment 0.1.0 --data train --size 16 --batch 8", "embed 0.1.0 --weights w"])
    }

    @Test func `a loss, a conversion and a queue do not know their input's name either`() throws {
        try place.perform("""
            \(augment) | \(embed) | \(embed) --as student -o pairs; cp pairs again
            loss='queue-loss --queue-size 8 -q --level 1'
            $loss pairs > a; $loss < again > b; cat pairs | $loss - -o c
            $loss --queue q pairs > d; $loss --queue other-name again > e
            convert-weights w -q -o f; convert-weights - -q -o g < w; cp w 'h i'; convert-weights 'h i' -q -o j
            cmp a b; cmp a c; cmp d e; cmp q other-name; cmp f g; cmp f j
            """)
    }

    @Test func `no output holds a folder`() throws {
        let folder = place.folder.lastPathComponent
        try place.perform("""
            P=$PWD; mkdir 'my dir'; cp w 'my dir/w 1'; cp -r s/train 'my dir/data 1'
            augment --data "$P/my dir/data 1" --size 16 --batch 8 -q | embed --weights "$P/my dir/w 1" -q |
              train-step --student $P/student --loss "queue-loss --queue-size 8 --queue '$P/my dir/q 1' --timing $P/t" -q -o $P/out
            convert-weights $P/out -o $P/weights -q
            """)
        for name in ["out", "weights", "my dir/q 1"] {
            let text = String(decoding: try place.bytes(name), as: UTF8.self)
            #expect(!text.contains(folder) && !text.contains("my dir"), "\(name)")
        }
        #expect(String(decoding: try place.bytes("out"), as: UTF8.self).contains(#"augment 0.1.0 --data 'data 1'"#))
    }
}
