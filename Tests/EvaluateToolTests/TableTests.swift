import TensorStreams
import TestSupport
import Testing

struct TableTests {
    private func knn(_ top1: Double, k: [Int] = [1, 10], d: Int = 128) -> String {
        let results = k.flatMap { k in
            [("weighted", 1.0), ("majority", top1)].map { #"{"k":\#(k),"vote":"\#($0)","top1":\#($1),"top5":99.5,"protocol":"k=\#(k), cosine, \#(d)-d"}"# }
        }
        return #"{"evaluation":"knn","results":[\#(results.joined(separator: ","))]}"#
    }

    private let linear = #"{"evaluation":"linear","results":[{"top1":75.25,"top5":95,"protocol":"convex, 4000 train"}]}"#

    private func place() throws -> Workplace {
        let place = try Workplace()
        try place.write(knn(71.6), to: "teacher.knn")
        try place.write(knn(68.66), to: "after.knn")
        try place.write(knn(66.4, d: 64), to: "after.embedding")
        try place.write(linear, to: "teacher.linear")
        try place.write(#"{"seconds": 2.5, "images": 4000}"# + "\n", to: "embed.json")
        try place.write("{\"seconds\": 100, \"images\": 4000, \"loss\": 3}\n{\"note\": \"x\"}\n\n{\"seconds\": 20.0, \"images\": 800}\n", to: "train.log")
        return place
    }

    private let line = """
        evaluate table --row teacher=teacher.knn,teacher.linear --row 'student after=after.knn,embedding:after.embedding' \
        --stage embed=embed.json --stage train=train.log,embed.json --file student=out/s.safetensors --file teacher=t.safetensors
        """

    @Test func `without labels rows have what needs none, and along the way it is told too`() throws {
        let place = try Workplace()
        func quality(_ agreement: String, _ rank: String) -> String {
            #"{"evaluation":"quality","protocol":{"dimension":64},"samples":{"samples":240},"spread":{"effective_rank":\#(rank)},"deviation":0.4567,"uniformity":-1.234,"agreement":[\#(agreement)]}"#
        }
        try place.write(quality("", "42.77"), to: "teacher")
        try place.write(quality(#"{"k":1,"share":0.25},{"k":10,"share":0.455}"#, "3.94"), to: "after")
        try place.write(quality(#"{"k":1,"share":0.25},{"k":5,"share":0.2}"#, "null").replacing("-1.234", with: "null"), to: "few")
        let result = try place.run("evaluate table --row teacher=teacher --row student=after --row few=few")
        #expect(result.status == 0 && result.output == """
                     teacher's neighbours (k=10)  effective rank  deviation  uniformity
            teacher                            –            42.8      0.457       -1.23
            student                       45.5 %             3.9      0.457       -1.23
            few                           20.0 %               –      0.457           –

            neighbours, student: the share of the teacher's 10 nearest of 240 images that are the network's too, cosine
            neighbours, few: the share of the teacher's 5 nearest of 240 images that are the network's too, cosine
            told apart: effective rank of 240 images, of 64 dimensions; deviation as a share of what evenly spread directions have; uniformity, the lower the more even

            """, "\(result.output)")
        let json = try JSON(parsing: place.run("evaluate table --row student=after --json -").output)["rows"]?.asArray?.first
        #expect(json?["agreement"]?.asNumber == 45.5 && json?["effective_rank"]?.asNumber == 3.94 && json?["knn_top1"] == nil)
        for wrong in [quality("", "1").replacing("0.4567", with: "null"), quality("", "1").replacing("240", with: "\"x\"")] {
            try place.write(wrong, to: "wrong")
            #expect(try place.run("evaluate table --row a=wrong").status == 65)
        }
        #expect(try place.run("evaluate table --row a=embedding:after").status == 65)
    }

    @Test func `what files and names say is escaped`() throws {
        let place = try Workplace()
        try place.write(knn(1).replacing("cosine", with: #"cos\u001b]0;title\u0007\nine\u202e"#).replacing(#""results""#, with: #""remarks":["r\u001b[31m\nfoo"],"results""#), to: "k")
        let result = try place.run(#"E=$(printf 'e\033]0;pwn\007\nx\342\200\256'); evaluate table --row "$E=k" --file "$E=$E""#)
        #expect(result.status == 0, "\(result.error)")
        let raw = result.output.unicodeScalars.filter { $0.value < 32 && $0 != "\n" || $0.value == 0x202E || (0x7F...0x9F).contains($0.value) }
        #expect(raw.isEmpty && result.output.split(separator: "\n").count == 5, "\(result.output)")
    }

    @Test func `prints accuracies with their protocols, the stages' rates and the files`() throws {
        let result = try place().run(line)
        #expect(result.status == 0 && result.error.isEmpty)
        #expect(result.output == """
                           k-NN top-1 (k=10)  embedding k-NN  linear top-1  linear top-5
            teacher                   71.6 %               –        75.2 %        95.0 %
            student after             68.7 %          66.4 %             –             –

            k-NN: k=10, cosine, 128-d
            embedding k-NN: k=10, cosine, 64-d
            linear: convex, 4000 train

                        time  images  images/s
            embed      2.5 s    4000      1600
            train  2 min 3 s    8800      71.8

            student  out/s.safetensors
            teacher  t.safetensors

            """)
    }

    @Test func `the JSON holds the same numbers`() throws {
        let place = try place()
        #expect(try place.run(line + " -o table.json").status == 0)
        let json = try JSON(parsing: try place.text("table.json"))
        let rows = try #require(json["rows"]?.asArray)
        #expect(rows[0]["name"]?.asString == "teacher" && rows[0]["knn_top1"]?.asNumber == 71.6 && rows[0]["linear_top5"]?.asNumber == 95)
        #expect(rows[1]["embedding_knn_top1"]?.asNumber == 66.4 && rows[1]["linear_top1"] == nil)
        let stages = try #require(json["stages"]?.asArray)
        #expect(stages[1]["seconds"]?.asNumber == 122.5 && stages[1]["images"]?.asNumber == 8800)
        #expect(json["files"]?.asArray?.first?["path"]?.asString == "out/s.safetensors")
    }

    @Test func `rows got in different ways say so`() throws {
        let place = try place()
        try place.write(knn(50, d: 2048), to: "other.knn")
        let output = try place.run("evaluate table --row teacher=other.knn --row 'student=after.knn'").output
        #expect(output.contains("k-NN, teacher: k=10, cosine, 2048-d\n") && output.contains("k-NN, student: k=10, cosine, 128-d\n"))
    }

    @Test func `a training set below k gives its largest`() throws {
        let place = try place()
        try place.write(knn(44, k: [1, 8]), to: "small.knn")
        let output = try place.run("evaluate table --row a=small.knn").output
        #expect(output.contains("44.0 %") && output.contains("k-NN: k=8, cosine"))
    }

    @Test func `the tool's own results go into it`() throws {
        let place = try place()
        try place.stream("train", seed: 1)
        try place.stream("test", seed: 2)
        let result = try place.run("""
            evaluate knn -q --train train --test test -o k > /dev/null && evaluate linear -q --train train --test test -o l > /dev/null
            evaluate table --row student=k,l
            """)
        #expect(result.status == 0 && result.output.contains("k-NN: k=10, cosine, majority, 60 train, 60 test, features 8-d\n") && result.output.contains("linear: convex, "))
    }

    @Test(arguments: [
        ("", "byte 0: ends where a value is expected"), ("{\"a\":1}", "is not a result of 'evaluate knn', 'evaluate linear', 'evaluate accuracy' or 'evaluate quality'"),
        ("{\"evaluation\":\"knn\",\"results\":[]}", "has no majority vote for k = 10"), ("{\"evaluation\":\"linear\",\"results\":[{}]}", "is not a result of"),
    ])
    func `what is no result is 65`(text: String, words: String) throws {
        let place = try place()
        try place.write(text, to: "bad")
        let result = try place.run("evaluate table --row a=bad -o out")
        #expect(result.status == 65 && result.error.hasPrefix("evaluate: bad: ") && result.error.contains(words), "\(result.error)")
        #expect(!place.exists("out") && !place.hasUnfinished)
    }

    @Test func `a stage without times is 65, and a broken line is named`() throws {
        let place = try place()
        try place.write("{\"seconds\": 1}\n{\"images\": 2}\n", to: "bad")
        let without = try place.run("evaluate table --stage a=bad")
        #expect(without.status == 65 && without.error.contains("bad: holds no JSON object with both 'seconds' and 'images'"), "\(without.error)")
        try place.write("{\"seconds\": 1, \"images\": 2}\n{\"seconds\": 1,\n", to: "bad")
        let result = try place.run("evaluate table --stage a=bad")
        #expect(result.status == 65 && result.error.contains("bad: line 2, byte "))
        try place.write("{\"seconds\": -1, \"images\": 2}", to: "bad")
        #expect(try place.run("evaluate table --stage a=bad").status == 65)
    }
}
