/// Names in a message: the first three, how many more there are, and their common prefix.
///
///     'module.bn1.bias', 'module.bn1.weight', 'module.conv1.weight' and 117 more (all begin with 'module.')
///
/// - Parameter quote: put before and after each name.
public func listed(_ names: some Collection<String>, quote: String = "'") -> String {
    // "and 1 more" would not be shorter.
    let shown = names.count <= 4 ? names.count : 3
    var text = names.prefix(shown).map { quote + $0.printableLine(limit: 80) + quote }.joined(separator: ", ")
    if names.count > shown { text += " and \(names.count - shown) more" }
    let common = commonBeginning(names)
    if names.count > shown, !common.isEmpty { text += " (all begin with '\(common.printableLine(limit: 80))')" }
    return text
}

/// The longest common prefix of `names` that ends with a dot; empty where there is none.
public func commonBeginning(_ names: some Collection<String>) -> String {
    guard var common = names.first.map({ Array($0.unicodeScalars) }) else { return "" }
    for name in names {
        let length = zip(common, name.unicodeScalars).prefix { $0 == $1 }.count
        common.removeLast(common.count - length)
    }
    guard let dot = common.lastIndex(of: ".") else { return "" }
    return String(String.UnicodeScalarView(common[...dot]))
}
