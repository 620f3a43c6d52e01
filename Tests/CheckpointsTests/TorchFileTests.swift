import Checkpoints
import Foundation
import TensorStreams
import TestSupport
import Testing
import ToolSupport

/// Files of `torch.save`, right and wrong.
@Suite struct TorchFileTests {
    let folder: Workplace

    init() throws { folder = try Workplace() }

    /// What PyTorch says the tensors are, as it wrote them with safetensors.
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

    /// A file of the older format whose value is `pickle`, with one storage of four floats.
    private func legacy(_ pickle: [UInt8], keys: [String] = ["0"], elements: [UInt8] = [4, 0, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 0, count: 16)) -> [UInt8] {
        let magic: [UInt8] = [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E]
        let list = [0x80, 2, 0x5D] as [UInt8] + keys.flatMap { text($0) + [0x61] } + [0x2E]
        return magic + [0x80, 2, 0x4D, 0xE9, 3, 0x2E] + [0x80, 2, 0x7D, 0x2E] + [0x80, 2] + pickle + [0x2E] + list + elements
    }

    private func text(_ text: String) -> [UInt8] { [0x58] + littleEndian(UInt32(text.utf8.count)) + text.utf8 }
    private func number(_ number: Int) -> [UInt8] { [0x8A, 8] + littleEndian(Int64(number)) }
    private func name(_ module: String, _ name: String) -> [UInt8] { Array("c\(module)\n\(name)\n".utf8) }
    private func tuple(_ parts: [UInt8]...) -> [UInt8] { [0x28] + parts.flatMap { $0 } + [0x74] }

    /// A dictionary with the tensor `a` as a view of a storage of `count` floats.
    private func dictionary(count: Int = 4, offset: Int = 0, _ shape: [Int], _ strides: [Int], key: String = "0", view: [UInt8] = [0x4E], twice: Bool = false) -> [UInt8] {
        let tensor = tensor(count: count, offset: offset, shape, strides, key: key, view: view)
        return [0x7D, 0x28] + text("a") + tensor + (twice ? text("a") + tensor : []) + [0x75]
    }

    private func dictionary(_ entries: (key: String, value: [UInt8])...) -> [UInt8] {
        entries.reduce(into: [0x7D]) { pickle, entry in pickle += text(entry.key) + entry.value + [0x73] }
    }

    private func tensor(count: Int = 4, offset: Int = 0, _ shape: [Int], _ strides: [Int], key: String = "0", view: [UInt8] = [0x4E]) -> [UInt8] {
        let storage = tuple(text("storage"), name("torch", "FloatStorage"), text(key), text("cpu"), number(count), view) + [0x51]
        let sizes = [0x28] as [UInt8] + shape.flatMap { number($0) } + [0x74], steps = [0x28] as [UInt8] + strides.flatMap { number($0) } + [0x74]
        return name("torch._utils", "_rebuild_tensor_v2") + tuple(storage, number(offset), sizes, steps, [0x89], [0x4E]) + [0x52]
    }

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
            (dictionary([2], [1], key: "1"), "storage 0 would have 4 elements"), (dictionary(count: 1 << 40, [1 << 40], [1]), "has 4 elements where its tensors need"),
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
        // The older format hands classes of modules over with their source.
        let sourced: [UInt8] = tuple(text("module"), type, text("resnet.py"), text("class ResNet")) + [0x51, 0x29, 0x81]
        #expect(try failure(legacy(dictionary(("models", sourced), ("state_dict", tensors)))) == nil)
        #expect(try failure(legacy(sourced))?.what.contains("without tensors") == true)
        let failure = try failure(legacy(module))
        #expect(failure?.kind == .data && failure?.what.contains("without tensors") == true && failure?.remedy == "save a state_dict", "\(String(describing: failure))")
    }

    @Test func `a list that stands in another many times, and that in a third, is not looked through without end`() throws {
        // Each level holds the one below ten times: ten billion at the tenth.
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
        // A list that holds itself, and one nested far deeper than any stack.
        #expect(try failure(legacy([0x5D, 0x71, 0, 0x68, 0, 0x61]))?.what == "holds a list without tensors")
        let lists = [UInt8](repeating: 0x5D, count: 200_000) + [UInt8](repeating: 0x61, count: 199_999), tuples = [0x29] as [UInt8] + [UInt8](repeating: 0x85, count: 200_000)
        for deep in [lists, tuples] { #expect(try failure(legacy(deep))?.what.contains("is nested deeper than") == true) }
        // A rebuilding that would rebuild itself.
        let rebuild = name("torch._tensor", "_rebuild_from_type_v2")
        #expect(try failure(legacy([0x5D, 0x71, 0, 0x28] + rebuild + [0x4E, 0x68, 0, 0x65] + [0x30] + rebuild + [0x68, 0, 0x52]))?.what.contains("torch._tensor._rebuild_from_type_v2") == true)
    }

    @Test(arguments: ["torch-zip.pth", "torch-legacy.pth"])
    func `a file that is cut anywhere is an error`(name: String) throws {
        let whole = [UInt8](try Data(contentsOf: URL(filePath: golden(name))))
        for count in stride(from: 0, to: whole.count, by: Effort.rounds(37, long: 1)) {
            let failure = try failure(Array(whole[..<count]))
            #expect(failure.map { [.data, .noInput].contains($0.kind) } == true && failure?.description.utf8.count ?? 0 < 500, "\(count) of \(whole.count) bytes: \(String(describing: failure))")
        }
    }

    @Test(arguments: ["torch-zip.pth", "torch-legacy.pth"])
    func `a damaged file is read or refused, and nothing else`(name: String) throws {
        try expectReadOrRefused(name, "files of torch.save", rounds: Effort.rounds(300, long: 20_000)) { try failure([UInt8]($0)) }
    }
}
