import Foundation
import Testing

/// The modules in ARCHITECTURE.md, the targets in Package.swift and the imports in the sources agree.
struct HouseTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized.path
    private func text(_ name: String) throws -> String { try String(contentsOfFile: HouseTests.root + "/" + name, encoding: .utf8) }

    /// The libraries and their dependencies in Package.swift.
    private func declared() throws -> [String: Set<String>] {
        var libraries: [String: Set<String>] = [:]
        for match in try text("Package.swift").matches(of: /library\("(\w+)", \[(.*?)\]/) {
            let names = match.2.matches(of: /"(\w+)"|(argumentParser)/).map { $0.1.map { String($0) } ?? "ArgumentParser" }
            libraries[String(match.1)] = Set(names)
        }
        return libraries
    }

    private func imported(by library: String) throws -> Set<String> {
        let folder = HouseTests.root + "/Sources/Common/" + library
        let files = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") } ?? []
        var names: Set<String> = []
        for file in files {
            let text = try String(contentsOfFile: folder + "/" + file, encoding: .utf8)
            names.formUnion(text.matches(of: /(?m)^(?:public )?import (\w+)/).map { String($0.1) })
        }
        return names.subtracting(["Synchronization"])
    }

    @Test func `every library imports what is declared for it, and nothing else`() throws {
        let libraries = try declared()
        #expect(libraries.count > 15)
        for (library, names) in libraries { #expect(try imported(by: library) == names, "\(library)") }
    }

    @Test func `imports point from floor to floor, downwards`() throws {
        var floors: [String: Int] = [:], floor = 0
        for line in try text("ARCHITECTURE.md").split(separator: "\n") {
            guard let match = line.firstMatch(of: /^\| *(\d?) *\| (`[^|]*) \|/) else { continue }
            floor = Int(match.1) ?? floor
            for name in match.2.matches(of: /`(\w+)`/) { floors[String(name.1)] = floor }
        }
        for (library, names) in try declared() {
            let own = try #require(floors[library], "\(library) is not in the table")
            for name in names { if let other = floors[name] { #expect(other < own, "\(library), floor \(own), imports \(name), floor \(other)") } }
        }
    }
}
