import Archives
import CArchive
import Datasets
import Foundation
import TestSupport
import Testing
import ToolSupport

/// The same rules hold for a folder and for every archive of it.
struct SourcesTests {
    let place: Workplace
    init() throws { place = try Workplace() }

    /// Packs the folder `name` in every format and returns the paths: archives of the folder itself, and archives of
    /// its contents.
    private func archives(of name: String) throws -> [String] {
        try place.perform("""
            tar cf \(name).tar \(name); tar czf \(name).tar.gz \(name); tar cf - \(name) | zstd -q > \(name).tar.zst; zip -qry \(name).zip \(name)
            mkdir in; tar cf in/\(name).tar -C \(name) .; tar cJf in/\(name).txz -C \(name) .; (cd \(name); zip -qry ../in/\(name).zip .)
            """)
        return [".tar", ".tar.gz", ".tar.zst", ".zip"].map { place.path(name + $0) } + [".tar", ".txz", ".zip"].map { place.path("in/" + name + $0) }
    }

    /// Without the folder `set`. Works on UTF-8, because the separator may form one character with what follows it.
    private func stripped(_ name: String) -> String { name.utf8.starts(with: "set/".utf8) ? String(Substring(name.utf8.dropFirst(4))) : name }

    /// Labels, classes, byte counts and what was passed over, with names relative to the set.
    private func facts(_ data: Dataset) throws -> String {
        let samples = try data.samples.indices.map { index in
            return "\(stripped(data.samples[index].name)) \(data.samples[index].label) \(try bytes(data, index).count)"
        }
        let passed = data.passedOver.map { "\($0.kind.rawValue) \($0.count) \(stripped($0.first))" }
        return ([data.classes.joined(separator: ",")] + samples + passed).joined(separator: "\n")
    }

    @Test func `links to hidden folders and files, over links, and to each other give the same from a folder and its archives`() throws {
        for name in [".store/cats/1.jpg", ".store/cats/deep/2.jpg", ".store/.more/3.jpg", ".one.jpg", "dogs/4.jpg", ".a/5.jpg"] { try place.write(content(name), to: "set/" + name) }
        try place.perform("""
            cd set; ln -s .store/cats cats; ln -s .store/cats felines; ln -s .store/.more more; ln -s ../.one.jpg dogs/one.jpg; ln -s .a .b; ln -s .b over
            ln -s ../dogs .a/dogs; ln -s loop2 loop1; ln -s loop1 loop2; ln -s .. out; ln -s . self; ln -s /etc abs; ln .one.jpg dogs/hard.jpg
            """)
        let expected = try facts(Dataset(place.path("set"))).replacing("abs/", with: "")
        #expect(expected.hasPrefix("cats,dogs,more,over\n"), "\(expected)")
        for name in ["cats/1.jpg 0", "cats/deep/2.jpg 0", "dogs/hard.jpg 1", "dogs/one.jpg 1", "more/3.jpg 2", "over/5.jpg 3"] { #expect(expected.contains(name + " ")) }
        // Links to the outside are followed on a disk; an archive does not contain their targets.
        func counted(_ facts: String) -> [Substring] { facts.split(separator: "\n").filter { line in !["link ", "other ", "hidden ", "repeated ", "empty "].contains { line.hasPrefix($0) } } }
        for archive in try archives(of: "set") { #expect(try counted(facts(Dataset(archive))) == counted(expected), "\(archive)") }
    }

    @Test func `what is unpacked through a link lies where the link leads`() throws {
        try place.write(content("1"), to: "a/c/1.jpg")
        try place.write(content("2"), to: "b/d/2.jpg")
        try place.perform("cd a; ln -s c d; tar cf ../x.tar c d; cd ../b; tar rf ../x.tar d/2.jpg; mkdir ../a/e; ln ../a/c/1.jpg ../a/e/9.jpg; cd ../a; tar cf ../y.tar d c/1.jpg e/9.jpg")
        let data = try Dataset(place.path("x.tar"))
        #expect(data.samples.map(\.name) == ["c/1.jpg", "c/2.jpg"] && data.classes == ["c"])
        #expect(try Dataset(place.path("y.tar")).samples.map(\.name) == ["c/1.jpg", "e/9.jpg"])
    }

    @Test func `names that a zip says are UTF-8 are kept, whatever the locale`() throws {
        let names = ["hunde \u{e9}", "cats", "\u{65e5}\u{672c}", "nfce\u{301}"]
        for name in names { try place.write(content("x"), to: "z/\(name)/1.jpg") }
        // Python sets the flag of every name that is not ASCII; Info-ZIP's zip writes its own field.
        try place.perform("cd z; python3 -c \"import zipfile, os; z = zipfile.ZipFile('../u.zip', 'w'); [z.write(os.path.join(d, f)) for d, _, fs in os.walk('.') for f in fs]; z.close()\"; zip -qr ../i.zip .")
        for archive in ["u.zip", "i.zip"] { #expect(try facts(Dataset(place.path(archive))) == facts(Dataset(place.path("z"))), "\(archive)") }
    }

    @Test func `an archive that is passed over makes no class`() throws {
        for name in ["cats/1.jpg", "dogs/2.jpg"] { try place.write(content(name), to: "set/" + name) }
        try place.write(Array("xx".utf8), to: "set/Downloads/old.tar")
        try place.perform("tar cf set.tar -C set .")
        for path in ["set", "set.tar"] {
            let data = try Dataset(place.path(path))
            #expect(data.classes == ["cats", "dogs"] && data.samples.map(\.label) == [0, 1], "\(path)")
        }
        #expect(try Dataset(place.path("set")).passedOver.map(\.summary) == ["1 archive beside folders of images (Downloads/old.tar)"])
    }

    @Test func `a folder and its archives have the same samples, labels and bytes, and the same is passed over`() throws {
        for name in [
            "cat/1.jpg", "cat/2.JPG", "dog/deep/er/3.jpeg", "dog/4.jfif", ".ipynb_checkpoints/5.jpg", ".Trash-1000/files/6.jpg", "__MACOSX/cat/7.jpg",
            "cat/.hidden/8.jpg", "cat/._1.jpg", "dog/@eaDir/9.jpg", "$RECYCLE.BIN/10.jpg", "notes.txt", "cat/11.png", "12.jpg",
        ] { try place.write(content(name), to: "set/" + name) }
        try place.perform("cd set; ln cat/1.jpg dog/hard.jpg; ln notes.txt dog/text.jpg; ln -s ../cat/1.jpg dog/soft.jpg; ln -s nowhere.jpg dog/none.jpg; ln -s cat kitty; mkfifo dog/pipe.jpg")
        let expected = try facts(Dataset(place.path("set")))
        #expect(expected == """
            cat,dog
            12.jpg -1 \(content("12.jpg").count)
            cat/1.jpg 0 \(content("cat/1.jpg").count)
            cat/2.JPG 0 \(content("cat/2.JPG").count)
            dog/4.jfif 1 \(content("dog/4.jfif").count)
            dog/deep/er/3.jpeg 1 \(content("dog/deep/er/3.jpeg").count)
            dog/hard.jpg 1 \(content("cat/1.jpg").count)
            dog/soft.jpg 1 \(content("cat/1.jpg").count)
            dog/text.jpg 1 \(content("notes.txt").count)
            hidden 7 $RECYCLE.BIN
            other 2 cat/11.png
            link 1 dog/none.jpg
            repeated 1 kitty
            special 1 dog/pipe.jpg
            """)
        // A zip cannot hold named pipes.
        for archive in try archives(of: "set") {
            let wanted = archive.hasSuffix(".zip") ? expected.replacing("\nspecial 1 dog/pipe.jpg", with: "") : expected
            #expect(try facts(Dataset(archive)) == wanted, "\(archive)")
        }
    }

    @Test func `hard and symbolic links to hidden files give the image, in archives of every kind`() throws {
        try place.write(content("1"), to: "set/.pool/1.jpg")
        try place.write(content("2"), to: "set/.pool/2.bin")
        try place.perform("cd set; mkdir a b; ln .pool/1.jpg a/1.jpg; ln -s ../.pool/2.bin b/2.jpg; ln -s ../b/2.jpg a/3.jpg")
        let expected = try facts(Dataset(place.path("set")))
        #expect(expected == "a,b\na/1.jpg 0 \(content("1").count)\na/3.jpg 0 \(content("2").count)\nb/2.jpg 1 \(content("2").count)\nhidden 1 .pool")
        for archive in try archives(of: "set") { #expect(try facts(Dataset(archive)) == expected, "\(archive)") }
    }

    @Test func `names that are not UTF-8, and names of every other kind, work in folders and archives`() throws {
        try place.perform("""
            mkdir -p set/$'caf\\xe9' set/$'\\xff\\xfe' 'set/a b' 'set/#;&$(x)' 'set/%s%n' $'set/new\\nline' $'set/\\x1b[31mred' "set/it's" 'set/back\\slash' $'set/\\xcc\\x81mark' \\
              $'set/\\xe2\\x80\\x8djoiner' 'set/-rf' 'set/*?[a]' 'set/ü'
            for d in set/*; do printf '\\xff\\xd8\\xff of %s' "$d" > "$d/1.jpg"; done
            printf '\\xff\\xd8\\xffx' > $'set/a b/\\xe9.jpg'
            """)
        let data = try Dataset(place.path("set"))
        #expect(data.classes == [
            "#;&$(x)", "%s%n", "*?[a]", "-rf", "\u{1B}[31mred", "a b", "back\\slash", "caf\\xE9", "it's", "new\nline", "\u{FC}", "\u{301}mark", "\u{200D}joiner", "\\xFF\\xFE",
        ].sorted { Array(raw($0)).lexicographicallyPrecedes(Array(raw($1))) })
        #expect(data.samples.count == 15 && data.samples.allSatisfy { $0.label >= 0 } && data.passedOver == [])
        #expect(Set(data.samples.map(\.label)).count == 14)
        #expect(data.filePaths.count == 15)
        for path in data.filePaths { #expect(path.withCString { access($0, R_OK) } == 0) }
        let expected = try facts(data)
        for archive in try archives(of: "set") { #expect(try facts(Dataset(archive)) == expected, "\(archive)") }
    }

    /// The bytes that a class's name stands for.
    private func raw(_ name: String) -> [UInt8] {
        switch name {
        case "caf\\xE9": [0x63, 0x61, 0x66, 0xE9]
        case "\\xFF\\xFE": [0xFF, 0xFE]
        default: Array(name.utf8)
        }
    }

    @Test func `names that differ in Unicode's composition alone are one class`() throws {
        try place.write(content("1"), to: "set/caf\u{E9}/1.jpg")
        try place.write(content("2"), to: "set/cafe\u{301}/2.jpg")
        try place.write(content("3"), to: "set/tea/3.jpg")
        let data = try Dataset(place.path("set"))
        #expect(data.classes.count == 2 && data.samples.map(\.label) == [0, 0, 1])
    }

    @Test func `an archive beside folders of images is passed over and named, whatever it is`() throws {
        for name in ["cat/1.jpg", "dog/2.jpg"] { try place.write(content(name), to: "set/" + name) }
        try place.perform("tar cf set/all.tar -C set cat dog; echo broken > set/half.tar.gz; zip -qr set/cat/more.zip set/dog")
        let data = try Dataset(place.path("set"))
        #expect(data.samples.map(\.name) == ["cat/1.jpg", "dog/2.jpg"] && data.classes == ["cat", "dog"])
        #expect(data.passedOver == [PassedOver(.archive, 3, "all.tar")])
    }

    @Test func `archives are read as if unpacked where they lie, and a stray image beside them has no label`() throws {
        try place.pack([("cat/1.jpg", content("1"))], into: "a.tar")
        try place.pack([("cat/1.jpg", content("2")), ("dog/3.jpg", content("3"))], as: .zip, into: "b.zip")
        try place.pack([("4.jpg", content("4"))], compressed: ARCHIVE_FILTER_GZIP, into: "c.tgz")
        try place.perform("mkdir -p set/owl; mv a.tar b.zip set; mv c.tgz set/owl")
        try place.write(content("stray"), to: "set/sheet.jpg")
        let data = try Dataset(place.path("set"))
        #expect(data.samples.map(\.name) == ["sheet.jpg", "cat/1.jpg", "cat/1.jpg", "dog/3.jpg", "owl/4.jpg"])
        #expect(data.classes == ["cat", "dog", "owl"] && data.samples.map(\.label) == [-1, 0, 0, 1, 2] && data.unlabelled == 1)
        #expect(data.files.map { $0.split(separator: "/").last } == ["a.tar", "b.zip", "c.tgz", "sheet.jpg"])
        #expect((0..<5).map(data.file) == [3, 0, 1, 1, 2])
        #expect(data.location(of: 4) == place.path("set/owl/c.tgz") + ": member 4.jpg")
        #expect(try (0..<5).map { try bytes(data, $0).count } == ["stray", "1", "2", "3", "4"].map { content($0).count })
    }

    @Test func `a member that is there twice is the later one, as unpacking has it`() throws {
        for (name, format) in [("a.tar", Workplace.Format.gnutar), ("a.zip", .zip)] {
            try place.pack([("cat/1.jpg", content("old")), ("dog/2.jpg", content("2")), ("cat/1.jpg", content("newer"))], as: format, into: name)
            let data = try Dataset(place.path(name))
            #expect(try data.samples.map(\.name) == ["cat/1.jpg", "dog/2.jpg"] && bytes(data, 0) == content("newer"))
            #expect(data.passedOver == [PassedOver(.replaced, 1, "cat/1.jpg")])
        }
    }

    @Test func `a member with the name of a folder is told, unless the folder is empty; one that a folder replaces, too`() throws {
        for (name, format) in [("a.tar", Workplace.Format.gnutar), ("a.zip", .zip)] {
            try place.pack(
                [("cat/x.jpg/1.jpg", content("1")), ("cat/x.jpg", content("lost")), ("dog/y.jpg", content("lost")), ("dog/y.jpg/2.jpg", content("2"))],
                as: format, into: name)
            let data = try Dataset(place.path(name))
            #expect(data.samples.map(\.name) == ["cat/x.jpg/1.jpg", "dog/y.jpg/2.jpg"])
            #expect(data.passedOver == [PassedOver(.replaced, 1, "dog/y.jpg"), PassedOver(.blocked, 1, "cat/x.jpg")])
        }
        // As tar itself: a non-empty folder stays, an empty one is replaced.
        try place.write(content("1"), to: "new/cat/1.jpg/2.jpg")
        try place.write(content("3"), to: "later/cat/1.jpg")
        try place.perform("mkdir -p new/cat/3.jpg unpacked; cp later/cat/1.jpg later/cat/3.jpg; tar cf b.tar -C new cat; tar rf b.tar -C later cat/1.jpg cat/3.jpg")
        try place.perform("tar xf b.tar -C unpacked 2> /dev/null || true")
        let (data, unpacked) = (try Dataset(place.path("b.tar")), try Dataset(place.path("unpacked")))
        #expect(data.samples.map(\.name) == ["cat/1.jpg/2.jpg", "cat/3.jpg"] && data.samples.map(\.name) == unpacked.samples.map(\.name))
        #expect(data.passedOver == [PassedOver(.blocked, 1, "cat/1.jpg")])
    }

    @Test func `a folder with nothing in it is told, in archives too`() throws {
        try place.write(content("1"), to: "set/cat/1.jpg")
        try place.perform("mkdir -p set/dog set/owl/young set/.hidden")
        for path in try [place.path("set")] + archives(of: "set") {
            #expect(try Dataset(path).passedOver.map(\.summary).last?.hasPrefix("2 empty folders (the first is ") == true, "\(path)")
        }
    }

    @Test func `folders of links to links are read once each, at once`() throws {
        try place.write(content("1"), to: "set/real/1.jpg")
        try place.perform("""
            for n in $(seq 1 40); do mkdir set/d$n; for l in a b c; do ln -s ../d$((n + 1)) set/d$n/$l; done; done
            mkdir set/d41; ln -s ../real set/d41/real; ln -s loop2 set/loop1; ln -s loop1 set/loop2; ln -s . set/self; ln -s ../set set/up
            """)
        let data = try Dataset(place.path("set"))
        #expect(data.samples.map(\.name) == ["real/1.jpg"])
        #expect(data.passedOver == [PassedOver(.link, 2, "loop1"), PassedOver(.repeated, 123, "d1/a")])
    }

    @Test func `a folder that two links lead to is read under the first`() throws {
        try place.write(content("1"), to: "pool/1.jpg")
        try place.perform("mkdir -p set/b; ln -s ../../pool set/b/cats; ln -s ../pool set/zoo")
        let data = try Dataset(place.path("set"))
        #expect(data.samples.map(\.name) == ["b/cats/1.jpg"] && data.passedOver == [PassedOver(.repeated, 1, "zoo")])
    }

    @Test func `a named pipe, a device and a socket are said to be what they are`() throws {
        try place.perform("mkfifo pipe; mkfifo pipe.tar; mkdir set; mkfifo set/1.jpg set/a.tar")
        for (path, words) in [
            (place.path("pipe"), "is a named pipe (FIFO), not a folder or an archive; write it to a file first"), (place.path("pipe.tar"), "is a named pipe (FIFO)"),
            ("/dev/null", "is a device"),
        ] {
            let failure = failure(path)
            #expect(failure?.kind == .data && failure?.path == path && failure?.description.contains(words) == true, "\(failure?.description ?? "none")")
        }
        #expect(failure(place.path("set"))?.description == "\(place.path("set")): has no JPEG images (*.jpg, *.jpeg), only 2 special files (the first is 1.jpg)")
    }

    @Test func `an encrypted zip is said to be encrypted, of every kind; other members' encryption is nothing`() throws {
        try place.write(content("1"), to: "cat/1.jpg")
        try place.write(content("2"), to: "notes.txt")
        try place.perform("zip -q -P secret a.zip cat/1.jpg; zip -q -P secret notes.zip notes.txt; cp notes.zip mixed.zip; zip -q mixed.zip cat/1.jpg; zip -q -0 plain.zip cat/1.jpg")
        let plain = try [UInt8](place.bytes("plain.zip"))
        /// The zip with other flags in both headers of a member, and as WinZip's AES if `method` is 99.
        func changed(flags: UInt8, high: UInt8 = 0, method: UInt8 = 0) throws -> [UInt8] {
            var bytes = plain
            for (signature, offset) in [([0x50, 0x4B, 3, 4] as [UInt8], 6), ([0x50, 0x4B, 1, 2], 8)] {
                let start = try #require(bytes.firstRange(of: signature)).lowerBound
                bytes[start + offset] |= flags
                bytes[start + offset + 1] |= high
                bytes[start + offset + 2] = method
            }
            return bytes
        }
        try place.write(changed(flags: 1), to: "traditional.zip")
        try place.write(changed(flags: 1, method: 99), to: "aes.zip")
        try place.write(changed(flags: 0x41), to: "strong.zip")
        try place.write(changed(flags: 0x41, high: 0x20), to: "names.zip")
        for name in ["a", "traditional", "aes", "strong", "names"] {
            let failure = failure(place.path(name + ".zip"))
            #expect(failure?.kind == .data && failure?.what == "is encrypted" && failure?.remedy == "unpack it with its password", "\(name): \(failure?.description ?? "")")
        }
        #expect(try Dataset(place.path("mixed.zip")).samples.map(\.name) == ["cat/1.jpg"])
        #expect(failure(place.path("notes.zip"))?.what == "has no JPEG images (*.jpg, *.jpeg), only 1 other file (notes.txt)")
    }
}
