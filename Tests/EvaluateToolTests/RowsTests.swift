import Foundation
import TensorStreams
import TestSupport
import Testing
import ToolSupport

/// `embed --csv`: rows for programs that read tables.
struct RowsTests {
    @Test func `CSV has every number, label and path of the stream in its place`() throws {
        let place = try Workplace()
        try place.perform("""
            synthesize -o pictures --classes 3 --train 12 --test 4 --size 16 --seed 2 -q
            initialize --network tiny-resnet10 --embedding 8 -q -o n.safetensors
            A="augment --data pictures/train --recipe evaluation --size 16 --batch 4 --paths -q"
            $A | embed --weights n.safetensors --features --csv -q -o rows.csv
            $A | embed --weights n.safetensors --features --drop images -q -o stream
            $A | embed --weights n.safetensors --csv -q > embeddings.csv
            augment --data pictures/train --recipe evaluation --size 16 -q | embed --weights n.safetensors --as mine --csv -q -o plain.csv
            """)
        let lines = try place.text("rows.csv").split(separator: "\n").map { $0.split(separator: ",").map(String.init) }
        let reader = try StreamReader(place.path("stream"))
        var row = 1, D = 0
        while let record = try reader.next() {
            let rows = try #require(record.tensors["features"]), values = try rows.floats(), index = try #require(record.tensors["index"]).integers(), labels = try #require(record.tensors["label"]).integers()
            let paths = try #require(try record.paths(rows.shape[0]))
            D = rows.shape[1]
            for n in 0..<rows.shape[0] {
                #expect(lines[row][0] == "\(index[n])" && lines[row][1] == "\(labels[n])" && lines[row][2] == paths[n])
                let same = lines[row].dropFirst(3).map { Float($0) } == values[n * D..<(n + 1) * D].map { Float?($0) }
                #expect(same)
                row += 1
            }
        }
        #expect(row == lines.count && row == 13 && lines[0] == ["index", "label", "path"] + (0..<D).map { "\($0)" })
        #expect(try place.text("embeddings.csv").split(separator: "\n")[0] == "index,label,path,0,1,2,3,4,5,6,7")
        #expect(try place.text("plain.csv").split(separator: "\n")[0] == "index,label,0,1,2,3,4,5,6,7")
        #expect("a,\"b\"\n".csvField == "\"a,\"\"b\"\"\n\"" && "plain".csvField == "plain")
    }

    @Test(arguments: ["--rows", "--drop images", "--group 1", "--level 3"]) func `what is of streams does not go with it`(_ option: String) throws {
        let result = try Workplace().run("embed --weights n --csv \(option) nothing")
        #expect(result.status == 64 && result.error.contains("--csv writes none"), "\(result.error)")
    }
}
