import Foundation
import Images
import Platform
import Synthesis
import Testing
import TestSupport

struct SynthesizeTests {
    @Test func `equal options give equal bytes with any number of threads, another seed gives others`() throws {
        let place = try Workplace()
        let options = "--classes 6 --train 300 --test 30 --size 24 --shards 2"
        #expect(try place.run("synthesize -o a \(options) --threads 1").status == 0)
        #expect(try place.run("synthesize -o b \(options) --threads 3").status == 0)
        #expect(try place.run("synthesize -o c \(options) --seed 1").status == 0)
        let names = ["classes.txt", "test", "test/test-000.tar", "test/test-001.tar", "train", "train/train-000.tar", "train/train-001.tar"]
        #expect(try place.contents("a") == names && place.contents("b") == names)
        for name in names where name.hasSuffix(".tar") {
            #expect(try place.bytes("a/\(name)") == place.bytes("b/\(name)"))
            #expect(try place.bytes("a/\(name)") != place.bytes("c/\(name)"))
        }
    }

    @Test func `a second run writes the same over the first`() throws {
        let place = try Workplace()
        let options = "-o a --classes 3 --train 9 --test 6 --size 16 --shards 1"
        try place.run("synthesize \(options)")
        let first = try place.bytes("a/train/train-000.tar")
        try place.run("echo old > a/train/train-000.tar")
        #expect(try place.run("synthesize \(options)").status == 0)
        #expect(try place.bytes("a/train/train-000.tar") == first)
    }

    @Test func `every member is a JPEG image of the size asked for in the folder of its class, and classes are balanced`() throws {
        let place = try Workplace()
        let result = try place.run("synthesize -o a --classes 7 --train 143 --test 20 --size 40 --shards 3")
        #expect(result.error.hasSuffix("143 to train and 20 to test in 7 classes\n") && result.output.isEmpty)
        let classes = try String(decoding: place.bytes("a/classes.txt"), as: UTF8.self).split(separator: "\n").map(String.init)
        #expect(classes == classes.sorted() && Set(classes).count == 7)
        for (split, count) in [("train", 143), ("test", 20)] {
            let members = try place.members("a/\(split)")
            #expect(members.map(\.name) == (0..<count).map { "\(classes[$0 % 7])/\(String(format: "%05d", $0)).jpg" })
            for member in members {
                let image = try JPEG.decode([UInt8](member.bytes))
                #expect(image.width == 40 && image.height == 40)
            }
        }
    }

    @Test func `members carry no time, no user and mode 0644`() throws {
        let place = try Workplace()
        try place.run("synthesize -o a --train 2 --test 1 --shards 1 --size 16")
        let lines = try place.run("TZ=UTC tar tvf a/train/train-000.tar").output.split(separator: "\n")
        #expect(lines.count == 2)
        for line in lines { #expect(line.hasPrefix("-rw-r--r-- 0/0") && line.contains("1970-01-01 00:00")) }
    }

    @Test func `no image of one split is in the other, and no two of a split are equal`() throws {
        let place = try Workplace()
        try place.run("synthesize -o a --classes 4 --train 400 --test 400 --size 16 --shards 1")
        let train = Set(try place.members("a/train").map(\.bytes))
        let test = Set(try place.members("a/test").map(\.bytes))
        #expect(train.count == 400 && test.count == 400 && train.isDisjoint(with: test))
    }

    @Test func `more training images leave the first ones as they are`() throws {
        let place = try Workplace()
        try place.run("synthesize -o a --train 30 --test 1 --size 16 --shards 1; synthesize -o b --train 60 --test 1 --size 16 --shards 1")
        let (few, many) = try (place.members("a/train"), place.members("b/train"))
        #expect(few.count == 30 && many.count == 60)
        for (one, other) in zip(few, many) { #expect(one == other) }
    }

    @Test func `a sheet has a row of twelve images for each class`() throws {
        let place = try Workplace()
        #expect(try place.run("synthesize --sheet sheet.jpg --classes 5 --size 32").status == 0)
        let image = try JPEG.decode([UInt8](place.bytes("sheet.jpg")))
        #expect(image.width == 12 * 32 && image.height == 5 * 32)
        #expect(try place.contents(".").filter { !$0.hasPrefix(".") } == ["sheet.jpg"])
    }

    @Test func `wrong command lines end with 64 and say why`() throws {
        let place = try Workplace()
        for (options, words) in [
            ("", "missing -o FOLDER"), ("-o -", "-o takes a folder"), ("-o a --classes 1", "--classes takes 2 to 48, found 1"),
            ("-o a --classes 49", "found 49"), ("-o a --train 0", "--train"), ("-o a --test -1", "--test"), ("-o a --size 15", "--size takes 16 to 512, found 15"),
            ("-o a --size 513", "found 513"), ("-o a --shards 0", "--shards"), ("-o a --shards 201", "--shards"), ("-o a --test 3 --shards 4", "leave a file empty"),
            ("-o a --seed -1", "--seed"), ("-o a --colour red", "--colour"), ("-o a --threads 0", "--threads"),
        ] {
            let result = try place.run("synthesize \(options)")
            #expect(result.status == 64, "\(options): \(result.error)")
            #expect(result.error.contains(words) && result.error.hasPrefix("synthesize: "), "\(options): \(result.error)")
            #expect(!place.exists("a"))
        }
    }

    @Test func `a folder that cannot be made ends with 73`() throws {
        let place = try Workplace()
        try place.run("echo text > file")
        let cases = [("no/such/folder", "No such file or directory"), ("file", "Not a directory"), ("/proc/shapes", "cannot create")]
        for (folder, words) in cases {
            let result = try place.run("synthesize -o \(folder) --train 8 --test 8")
            #expect(result.status == 73 && result.error.contains(words), "\(folder): \(result.error)")
        }
        #expect(try place.bytes("file") == Data("text\n".utf8))
        #expect(try place.run("synthesize --sheet no/sheet.jpg").status == 73)
    }

    @Test func `tar files of another set in the folder are an error, and stay`() throws {
        let place = try Workplace()
        try place.run("synthesize -o a --train 8 --test 8 --size 16 --shards 4")
        let result = try place.run("synthesize -o a --train 8 --test 8 --size 16 --shards 3")
        #expect(result.status == 73 && result.error.contains("a/test/test-003.tar: is not part of this set; remove it or name another folder"))
        #expect(try place.contents("a").count == 11)
    }

    @Test func `a full disk ends with 74 and leaves nothing`() throws {
        let place = try Workplace()
        // A file may have 64 blocks of 1024 bytes here, which is less than a shard.
        let result = try place.run("trap '' XFSZ; ulimit -f 64; synthesize -o a --train 600 --test 8 --shards 1")
        #expect(result.status == 74 && result.error.contains("a/train/train-000.tar: cannot write: File too large"), "\(result.error)")
        #expect(!place.exists("a"))
        #expect(try place.run("synthesize --sheet /dev/full").status == 74)
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
    func `a signal ends it and leaves none of its many files`(signal: Int32) throws {
        let place = try Workplace()
        let tool = try place.start("exec synthesize -o a --train 50000 --test 200 --shards 100 -q")
        try #require(try waitUntil { try tool.isOver || place.contents().count >= 50 })
        kill(tool.leader, signal)
        #expect(tool.wait() == 128 + signal)
        #expect(try place.contents() == [])
    }

    @Test func `a hangup that nohup has it ignore is ignored`() throws {
        let place = try Workplace()
        let result = try place.run("""
            trap '' HUP; synthesize -o a --classes 4 --train 3000 --test 4 --shards 1 -q & p=$!
            while [ ! -e a.$p.part/train ]; do kill -0 $p || exit 99; sleep 0.02; done
            kill -HUP $p; wait $p
            """)
        #expect(result.status == 0 && place.exists("a/classes.txt"))
    }

    @Test func `what is not of the set stays, and is an error`() throws {
        let place = try Workplace()
        for file in ["a/notes.txt", "a/train/train-000.tar.1.part", "a/test/.hidden"] {
            try place.run("rm -rf a; mkdir -p a/train a/test; echo mine > \(file)")
            let result = try place.run("synthesize -o a --train 8 --test 8 --size 16 --shards 1")
            #expect(result.status == 73 && result.error == "synthesize: \(file): is not part of this set; remove it or name another folder\n", "\(result.error)")
            #expect(try place.text(file) == "mine\n" && place.contents("a").filter { $0.contains(".") } == [String(file.dropFirst(2))])
        }
    }

    @Test func `an empty folder, a link to a folder and a name with a slash behind it are filled`() throws {
        let place = try Workplace()
        let options = "--train 8 --test 8 --size 16 --shards 1 -q"
        try place.run("mkdir a real; ln -s real link")
        for name in ["a", "link", "b/"] { #expect(try place.run("synthesize -o \(name) \(options)").status == 0, "\(name)") }
        for name in ["a", "real", "b"] { #expect(try place.contents(name) == ["classes.txt", "test", "test/test-000.tar", "train", "train/train-000.tar"]) }
        #expect(try place.run("test -L link && diff -r a real && diff -r a b").status == 0 && !place.hasUnfinished)
    }

    @Test func `quiet says nothing, help shows an example`() throws {
        let place = try Workplace()
        #expect(try place.run("synthesize -q -o a --train 8 --test 8 --size 16").error.isEmpty)
        let help = try place.run("synthesize --help")
        #expect(help.status == 0 && help.output.contains("Example:") && help.output.contains("See also:"))
    }
}
