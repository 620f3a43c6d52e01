import Archives

/// Classifies file names; it applies to every component of every path in folders and archives.
enum FileNames {
    /// Folders that operating systems create without hiding them with a dot.
    private static let systems = ["__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"].map { Array($0.utf8) }

    private static let images = [".jpg", ".jpeg", ".jpe", ".jfif"].map { Array($0.utf8) }

    private static let archives =
        [".tar", ".tgz", ".tbz2", ".txz", ".tzst", ".zip", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar.lz4", ".tar.lzma"].map { Array($0.utf8) }

    static func isHidden(_ part: ArraySlice<UInt8>) -> Bool { part.first == UInt8(ascii: ".") || systems.contains { part.elementsEqual($0) } }

    static func isImage(_ name: ArraySlice<UInt8>) -> Bool { ending(of: name, in: images) != nil }

    static func isArchive(_ name: ArraySlice<UInt8>) -> Bool { ending(of: name, in: archives) != nil }

    /// `train` for `train.tar.gz`.
    static func stem(ofArchive name: ArraySlice<UInt8>) -> ArraySlice<UInt8> { name.dropLast(ending(of: name, in: archives) ?? 0) }

    /// Whether any component of a path is hidden.
    static func isHidden(_ path: BytePath) -> Bool { path.parts.contains(where: isHidden) }

    /// The length of the longest of `endings` that `name` has, ignoring case.
    private static func ending(of name: ArraySlice<UInt8>, in endings: [[UInt8]]) -> Int? {
        endings.filter { ending in
            ending.count < name.count
                && zip(name.suffix(ending.count), ending).allSatisfy { ($0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "Z") ? $0 | 32 : $0) == $1 }
        }.map(\.count).max()
    }
}
