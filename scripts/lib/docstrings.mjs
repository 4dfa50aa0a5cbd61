// Docstrings of options in the published types. tsc writes the comment of a property only if the property is declared in the same
// file as the type: for a property from a schema, or from another file, an editor would show nothing.
import ts from 'typescript';

/** Returns the text of a declaration file; each property has its docstring from `source`. */
export function withDocstrings(text, source, checker) {
  const parsed = ts.createSourceFile('types.d.ts', text, ts.ScriptTarget.Latest, true);
  const exported = new Map(
    [...(source.locals ?? checker.getSymbolAtLocation(source)?.exports ?? [])].map(([name, symbol]) => [
      String(name),
      symbol.exportSymbol ?? symbol,
    ]),
  );
  const notes = new Map();
  for (const statement of parsed.statements) {
    const declared = ts.isVariableStatement(statement)
      ? statement.declarationList.declarations
      : ts.isFunctionDeclaration(statement) ||
          ts.isTypeAliasDeclaration(statement) ||
          ts.isInterfaceDeclaration(statement)
        ? [statement]
        : [];
    for (const each of declared) {
      const symbol = exported.get(each.name?.text);
      if (symbol === undefined) continue;
      const isType = ts.isTypeAliasDeclaration(each) || ts.isInterfaceDeclaration(each);
      const type = isType ? checker.getDeclaredTypeOfSymbol(symbol) : checker.getTypeOfSymbol(symbol);
      if (ts.isFunctionDeclaration(each)) callable(each, [type]);
      else if (ts.isInterfaceDeclaration(each)) members(each, [type]);
      else walk(each.type, [type]);
    }
  }
  let result = text;
  for (const [at, note] of [...notes].sort(([a], [b]) => b - a)) {
    const indent = /(?<=\n) *$/.exec(result.slice(0, at))?.[0];
    // A comment after other text of its line belongs to that text.
    const line = indent === undefined ? `\n${note}\n` : `${note.replaceAll('\n', `\n${indent}`)}\n${indent}`;
    result = `${result.slice(0, at)}${line}${result.slice(at)}`;
  }
  return result;

  /** Walks the parts of a written type together with the types that it may be. */
  function walk(node, types) {
    if (node === undefined || types.length === 0) return;
    if (ts.isTypeLiteralNode(node)) members(node, types);
    else if (ts.isUnionTypeNode(node) || ts.isIntersectionTypeNode(node))
      for (const each of node.types) walk(each, types);
    else if (ts.isParenthesizedTypeNode(node) || ts.isTypeOperatorNode(node)) walk(node.type, types);
    else if (ts.isArrayTypeNode(node)) walk(node.elementType, parts(types).flatMap(inside));
    else if (ts.isFunctionTypeNode(node)) callable(node, types);
    else if (ts.isTypeReferenceNode(node) || ts.isImportTypeNode(node))
      node.typeArguments?.forEach((each, at) =>
        walk(
          each,
          parts(types).flatMap((type) => given(type, node)[at] ?? []),
        ),
      );
  }

  function members(node, types) {
    const properties = node.members.filter((each) => ts.isPropertySignature(each) && each.name !== undefined);
    const names = properties.map((each) => nameOf(each.name));
    const fits = parts(types).filter((type) =>
      properties.every((each) => {
        const property = type.getProperty(nameOf(each.name));
        if (property === undefined) return false;
        const { type: written } = each;
        if (written === undefined || !ts.isLiteralTypeNode(written) || !ts.isStringLiteral(written.literal))
          return true;
        const real = checker.getNonNullableType(checker.getTypeOfSymbol(property));
        return !real.isStringLiteral() || real.value === written.literal.text;
      }),
    );
    const exact = fits.filter((type) => type.getProperties().length === names.length);
    for (const each of properties) {
      const found = (exact.length > 0 ? exact : fits).flatMap(
        (type) => type.getProperty(nameOf(each.name)) ?? [],
      );
      const doc = found
        .map((property) => ts.displayPartsToString(property.getDocumentationComment(checker)))
        .find((words) => words !== '');
      if (doc !== undefined && ts.getJSDocCommentsAndTags(each).length === 0)
        notes.set(each.getStart(), `/** ${doc.replaceAll('*/', '* /').replaceAll('\n', '\n * ')} */`);
      walk(
        each.type,
        found.map((property) => checker.getTypeOfSymbol(property)),
      );
    }
  }

  function callable(node, types) {
    const signatures = parts(types).flatMap((type) => type.getCallSignatures());
    node.parameters.forEach((each, at) =>
      walk(
        each.type,
        signatures.flatMap(({ parameters }) =>
          parameters[at] === undefined ? [] : [checker.getTypeOfSymbol(parameters[at])],
        ),
      ),
    );
    walk(
      node.type,
      signatures.map((each) => each.getReturnType()),
    );
  }

  function parts(types) {
    return types.flatMap((type) => (type.isUnion() ? type.types : [type]));
  }

  function inside(type) {
    return checker.isArrayType(type) || checker.isTupleType(type) ? checker.getTypeArguments(type) : [];
  }

  /** Returns the arguments of a type with the written name. */
  function given(type, node) {
    const written = ts.isImportTypeNode(node) ? node.qualifier : node.typeName;
    const name =
      written === undefined ? undefined : ts.isQualifiedName(written) ? written.right.text : written.text;
    if (type.aliasSymbol?.name === name) return type.aliasTypeArguments ?? [];
    return type.getSymbol()?.name === name && 'target' in type ? checker.getTypeArguments(type) : [];
  }
}

function nameOf(name) {
  return ts.isIdentifier(name) || ts.isStringLiteral(name) || ts.isNumericLiteral(name)
    ? name.text
    : name.getText();
}
