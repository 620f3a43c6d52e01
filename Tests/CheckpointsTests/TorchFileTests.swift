import Checkpoints
import Foundation
import TensorStreams
import TestSupport
import Testing
import ToolSupport

/// Valid and invalid files of `torch.save`.
@Suite struct TorchFileTests: PickleMaking {
    let folder: Workplace

    init() throws { folder = try Workplace() }

    /// The tensors according to PyTorch, which wrote them with safetensors.
    private let expected = try? DocumentFile.read(golden("torch-files.safetensors"))

    @Test(arguments: ["torch-zip.pth", "torch-legacy.pth"])
    func `every tensor has the numbers that PyTorch saved, whatever its type and its place in its storage`(name: String) throws {
        let file = try TorchFile(golden(name)), expected = try #require(expected)
        #expect(Set(file.outline.names) == Set(expected.names))
        let found = try file.read(Set(file.outline.names))
        for name in expected.names { #expect(found.tensors[name] == expected.tensors[name], "\(name)") }
    }

    @Test(arguments: ["torch-zip.pth", "torch-legacy.pth"])
    func `of tensors that are not wanted nothing is read`(name: String) throws {
        let found = try TorchFile(golden(name)).read(["state_dict.part", "state_dict.empty"])
        #expect(found.names == ["state_dict.empty", "state_dict.part"])
        #expect(try found.tensors["state_dict.part"]?.floats() == [1, 2, 3, 7, 8, 9].map { Float($0 + 7) / 8 - 1 })
    }

    // MARK: Pickles of our own

    private func failure(_ bytes: [UInt8]) throws -> Failure? {
        try folder.write(Data(bytes), to: "x.pth")
        return TestSupport.failure {
            let file = try TorchFile(folder.path("x.pth"))
            _ = try file.read(Set(file.outline.names))
        }
    }

    @Test func `a file of our own making is read, so what follows fails by its fault alone`() throws {
        #expect(try failure(legacy(dictionary([2, 2], [2, 1]))) == nil)
        #expect(try failure(legacy(dictionary([2, 2], [1, 2]))) == nil)
        #expect(try failure(legacy(dictionary(count: 4, [2], [1], view: tuple(text("0"), number(2), number(2))))) == nil)
    }

    @Test func `views that are none of their storage are refused`() throws {
        let cases: [([UInt8], String)] = [
            (dictionary([5], [1]), "lies outside its storage of 4 elements"), (dictionary(offset: 3, [2], [1]), "lies outside its storage"), (dictionary(offset: -1, [2], [1]), "negative"),
            (dictionary([2], [-1]), "negative"), (dictionary([2, 2], [1, 1]), "overlaps itself"), (dictionary([4], [0]), "overlaps itself"), (dictionary([-2], [1]), "has the shape"),
            (dictionary([1 << 40, 1 << 40], [1, 1]), "has the shape"), (dictionary([2], [1, 1]), "1 sizes and 2 strides"), (dictionary([2], [1 << 62]), "lies outside its storage"),
            (dictionary([Int](repeating: 1, count: 17), [Int](repeating: 1, count: 17)), "17 dimensions"), (dictionary([2], [1], twice: true), "has the name 'a' twice"),
            (dictionary(count: 1 << 50, [2], [1]), "has a storage of"), (dictionary(count: 4, [2], [1], view: tuple(text("0"), number(3), number(2))), "no part of another"),
            (dictionary([2], [1], key: "1"), "storage 0 would have 4 elements"), (dictionary(count: 1 << 40, [1 << 40], [1]), "would have tensors of 4398046511104 bytes in a file of"), (dictionary(count: 8, [8], [1]), "has 4 elements where its tensors need"),
        ]
        for (pickle, words) in cases {
            let failure = try failure(legacy(pickle))
            #expect(failure?.kind == .data && failure?.what.contains(words) == true, "\(words): \(String(describing: failure))")
        }
    }

    @Test func `nothing is called, and what would have to be is named`() throws {
        let calls: [([UInt8], String)] = [
            (name("os", "system") + [0x28] + text("touch /tmp/called") + [0x74, 0x52], "os.system"), (name("posix", "system") + tuple(text("x")) + [0x52], "posix.system"),
            (name("builtins", "eval") + tuple(text("x")) + [0x52], "builtins.eval"), (name("builtins", "getattr") + tuple(text("x"), text("y")) + [0x52], "builtins.getattr"),
            (name("subprocess", "Popen") + tuple(text("x")) + [0x81], "subprocess.Popen"), (text("os") + text("system") + [0x93] + tuple(text("x")) + [0x52], "os.system"),
            (name("networks.own", "Network") + [0x29, 0x81], "networks.own.Network"), (name("a\u{1B}[31mb", "c") + [0x29, 0x52], "a\\u{1b}[31mb.c"),
        ]
        for (pickle, words) in calls {
            let failure = try failure(legacy(pickle))
            #expect(failure?.kind == .data && failure?.what.contains("calls \(words), which no file of tensors needs; nothing was called") == true, "\(String(describing: failure))")
        }
        for code in "Pio\u{82}" .unicodeScalars {
            let failure = try failure(legacy([UInt8(truncatingIfNeeded: code.value)] + "x\ny\n".utf8))
            #expect(failure?.kind == .data && failure?.what.contains("the instruction") == true, "\(String(describing: failure))")
        }
    }

    @Test func `modules that a checkpoint keeps beside its tensors are passed over, and a whole network is refused`() throws {
        let type = name("torchvision.models.resnet", "ResNet"), state: [UInt8] = [0x7D] + text("training") + [0x88, 0x73], tensors = dictionary([2], [1])
        let module: [UInt8] = type + [0x29, 0x81] + state + [0x62]
        #expect(try failure(legacy(dictionary(("models", module), ("state_dict", tensors)))) == nil)
        #expect(try TorchFile(folder.path("x.pth")).outline.names == ["state_dict.a"])
        // The older format stores module classes with their source.
        let sourced: [UInt8] = tuple(text("module"), type, text("resnet.py"), text("class ResNet")) + [0x51, 0x29, 0x81]
        #expect(try failure(legacy(dictionary(("models", sourced), ("state_dict", tensors)))) == nil)
        #expect(try failure(legacy(sourced))?.what.contains("without tensors") == true)
        let failure = try failure(legacy(module))
        #expect(failure?.kind == .data && failure?.what.contains("without tensors") == true && failure?.remedy == "save a state_dict", "\(String(describing: failure))")
    }

    @Test func `a list that stands in another many times, and that in a third, is not looked through without end`() throws {
        // Each level contains the level below ten times: ten billion at the tenth.
        var pickle: [UInt8] = [0x29]
        for level in 0..<10 as Range<UInt8> {
            pickle += [0x71, level, 0x30, 0x28]
            for _ in 0..<10 { pickle += [0x68, level] }
            pickle.append(0x74)
        }
        #expect(try failure(legacy(pickle))?.what.contains("which is the limit") == true)
    }

    @Test func `a tensor that is its whole storage and one that is a part of another have their numbers`() throws {
        var elements: [UInt8] = littleEndian(Int64(4))
        for value in [1, 2, 3, 4] as [Float] { elements += littleEndian(value.bitPattern) }
        let pickle = dictionary(("whole", tensor([2, 2], [2, 1])), ("part", tensor([2], [2])), ("turned", tensor([2, 2], [1, 2])))
        #expect(try failure(legacy(pickle, elements: elements)) == nil)
        let tensors = try TorchFile(folder.path("x.pth")).read(["whole", "part", "turned"]).tensors
        #expect(try tensors["whole"]?.floats() == [1, 2, 3, 4] && tensors["part"]?.floats() == [1, 3] && tensors["turned"]?.floats() == [1, 3, 2, 4])
    }

    @Test func `sizes are not believed, and what holds itself ends`() throws {
        let huge: [([UInt8], String)] = [
            ([0x58, 0xFF, 0xFF, 0xFF, 0xFF], "ends too early"), ([0x8D] + [UInt8](repeating: 0xFF, count: 8), "ends too early"), ([0x8E, 0, 0, 0, 0, 0, 0, 0, 0x40], "ends too early"),
            ([0x8B, 0xFF, 0xFF, 0xFF, 0x7F], "ends too early"), ([0x8B, 0xFF, 0xFF, 0xFF, 0xFF], "ends too early"), ([0x74], "goes back to a mark"), ([0x30], "takes a value"), ([0x6A, 1, 0, 0, 0], "recalls a value"),
            ([0x4E, 0x4E], "ends with 2 values"), ([0x7D, 0x28, 0x4E, 0x75], "a key without a value"), ([0x4E, 0x28, 0x4E, 0x65], "appends to None"), ([0x4B, 1], "holds a number without tensors"),
        ]
        for (pickle, words) in huge {
            let failure = try failure(legacy(pickle))
            #expect(failure?.kind == .data && failure?.what.contains(words) == true, "\(words): \(String(describing: failure))")
        }
        // A list that contains itself, and one nested far deeper than any stack.
        #expect(try failure(legacy([0x5D, 0x71, 0, 0x68, 0, 0x61]))?.what == "holds a list without tensors")
        let lists = [UInt8](repeating: 0x5D, count: 200_000) + [UInt8](repeating: 0x61, count: 199_999), tuples = [0x29] as [UInt8] + [UInt8](repeating: 0x85, count: 200_000)
        for deep in [lists, tuples] { #expect(try failure(legacy(deep))?.what.contains("is nested deeper than") == true) }
        // A rebuild call that would rebuild itself.
        let rebuild = name("torch._tensor", "_rebuild_from_type_v2")
        #expect(try failure(legacy([0x5D, 0x71, 0, 0x28] + rebuild + [0x4E, 0x68, 0, 0x65] + [0x30] + rebuild + [0x68, 0, 0x52]))?.what.contains("torch._tensor._rebuild_from_type_v2") == true)
    }

    @Test func `lists that hold others many times, and long names of many tensors, end`() throws {
        // Thirty lists, each containing the previous one ten times: 10³⁰ values in 700 bytes.
        let lists = (1...30).flatMap { (level: UInt8) -> [UInt8] in [0x5D, 0x28] + (0..<10).flatMap { _ in [0x68, level - 1] } + [0x65, 0x71, level, 0x30] }
        #expect(try failure(legacy([0x5D, 0x71, 0, 0x30] + lists + [0x68, 30]))?.what.contains("has more than 4000000 values in its dictionaries and lists") == true)
        let long = dictionary([4], [1]) + [0x71, 0, 0x30, 0x7D] + text(String(repeating: "x", count: 2000)) + [0x68, 0, 0x73]
        #expect(try failure(legacy(long))?.what == "has a tensor whose name is longer than 1024 bytes, which is the limit")
        // One view under a hundred names.
        let views = dictionary([4], [1]) + [0x71, 0, 0x30, 0x5D, 0x28] + (0..<100).flatMap { _ in [0x68, 0] as [UInt8] } + [0x65]
        #expect(try failure(legacy(views, elements: littleEndian(Int64(4)) + [UInt8](repeating: 0, count: 16))) == nil)
        let storage = 100_000, large = dictionary(count: storage, [storage], [1]) + [0x71, 0, 0x30, 0x5D, 0x28] + (0..<100).flatMap { _ in [0x68, 0] as [UInt8] } + [0x65]
        #expect(try failure(legacy(large, elements: littleEndian(Int64(storage)) + [UInt8](repeating: 0, count: 4 * storage)))?.what.contains("would have tensors of 40000000 bytes in a file of 40") == true)
    }

    @Test func `tensors that share parts of a storage are read, and storages that lie are not`() throws {
        let views = [(0, 3), (1, 3), (0, 4)].map { offset, count in dictionary(offset: offset, [count], [1]) }
        let shared = [0x5D, 0x28] as [UInt8] + views.flatMap { $0 } + [0x65], floats: [Float] = [1, 2, 3, 4]
        try folder.write(Data(legacy(shared, elements: littleEndian(Int64(4)) + floats.flatMap { littleEndian($0.bitPattern) })), to: "x.pth")
        let found = try TorchFile(folder.path("x.pth")).read(["0.a", "1.a", "2.a"])
        #expect(try ["0.a", "1.a", "2.a"].map { try found.tensors[$0]?.floats() } == [[1, 2, 3], [2, 3, 4], [1, 2, 3, 4]])
        let cases: [([UInt8], String)] = [
            (legacy(dictionary([4], [1]), keys: ["0", "0"]), "lists a storage twice"),
            (legacy(dictionary([4], [1]), elements: littleEndian(Int64(1) << 60) + [UInt8](repeating: 0, count: 16)), "would have 1152921504606846976 elements"),
            (legacy(dictionary([4], [1]), elements: littleEndian(Int64(-1)) + [UInt8](repeating: 0, count: 16)), "elements"),
            (legacy(dictionary([4], [1]), keys: []), "lacks the numbers of 'a'"),
        ]
        for (bytes, words) in cases {
            let failure = try failure(bytes)
            #expect(failure?.kind == .data && failure?.what.contains(words) == true, "\(words): \(String(describing: failure))")
        }
    }

    @Test(arguments: ["torch-zip.pth", "torch-legacy.pth"])
    func `a file that is cut anywhere is an error`(name: String) throws {
        let whole = [UInt8](try Data(contentsOf: URL(filePath: golden(name))))
        for count in 0..<whole.count {
            let failure = try failure(Array(whole[..<count]))
            #expect(failure.map { [.data, .noInput].contains($0.kind) } == true && failure?.description.utf8.count ?? 0 < 500, "\(count) of \(whole.count) bytes: \(String(describing: failure))")
        }
    }

    @Test(arguments: ["torch-zip.pth", "torch-legacy.pth"])
    func `a damaged file is read or refused, and nothing else`(name: String) throws {
        try expectReadOrRefused(name, "files of torch.save", rounds: Effort.rounds(300, long: 20_000)) { try failure([UInt8]($0)) }
    }
}
