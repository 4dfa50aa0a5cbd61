import ts from 'typescript';

/** The engine and what runs programs: their errors can come from every method, and are told once. */
const common =
  /\/src\/(?:atomic|command|host|core|script|cli)\/|\/src\/(?:bofh|connect|site|operations)\.ts$/;

/** These run a sequence. */
const starts: ReadonlySet<string> = new Set(['single', 'atomic', 'inOwnSequence', 'ensureInOwnSequence']);

/** Parts of an operation that run when it is undone or recovered: their errors make a step stuck. */
const later: ReadonlySet<string> = new Set(['look', 'revert', 'describe', 'content', 'sync', 'journalled']);

/** What the code of a method tells. */
export interface Found {
  /** The codes of the errors that its checks can throw, however unlikely. */
  readonly codes: readonly string[];
  /** It runs a sequence. */
  readonly changes: boolean;
}

/**
 * Returns a function that follows every function that the code of a method names. `operations` has
 * the operation of a driver and a method.
 */
export function reader(
  checker: ts.TypeChecker,
  operations: ReadonlyMap<string, ts.Symbol>,
): (symbol: ts.Symbol) => Found {
  const known = new Map<ts.Node, Facts>();
  const facts = (node: ts.Node): Facts => {
    const found = known.get(node);
    if (found !== undefined) return found;
    const own: Facts = { codes: new Set(), calls: new Set(), direct: new Set(), changes: false };
    known.set(node, own);
    const visit = (each: ts.Node, isDirect: boolean): void => {
      if (ts.isTypeNode(each)) return;
      const call = (body: ts.Node): void => {
        own.calls.add(body);
        if (isDirect) own.direct.add(body);
      };
      if ((ts.isPropertyAssignment(each) || ts.isMethodDeclaration(each)) && later.has(each.name.getText()))
        return;
      if (ts.isNewExpression(each)) {
        const code = codeOf(checker, each);
        if (code !== undefined) own.codes.add(code);
      }
      const start = ts.isCallExpression(each) ? startOf(checker, each) : undefined;
      if (isDirect && start !== undefined) own.changes = true;
      if (ts.isCallExpression(each) && start === 'inOwnSequence') {
        const [driver, method] = each.arguments.map((word) => (ts.isStringLiteral(word) ? word.text : ''));
        const operation = operations.get(`${driver ?? ''}.${method ?? ''}`);
        for (const body of operation === undefined ? [] : bodiesOf(operation)) call(body);
      }
      if (ts.isIdentifier(each) && !ts.isPropertyAssignment(each.parent)) {
        const symbol = realSymbol(checker, each);
        for (const body of symbol === undefined ? [] : bodiesOf(symbol)) call(body);
      }
      // A function in an object that is handed on: others call it.
      const isHanded = ts.isArrowFunction(each) && ts.isPropertyAssignment(each.parent);
      ts.forEachChild(each, (inner) => visit(inner, isDirect && !isHanded));
    };
    visit(node, true);
    return own;
  };
  const reached = (symbol: ts.Symbol, by: 'calls' | 'direct'): readonly Facts[] => {
    const seen = new Set<ts.Node>(bodiesOf(symbol));
    // A set goes on with what is added to it meanwhile.
    for (const node of seen) for (const call of facts(node)[by]) seen.add(call);
    return [...seen].map(facts);
  };
  return (symbol) => ({
    codes: [...new Set(reached(symbol, 'calls').flatMap(({ codes }) => [...codes]))].sort(),
    changes: reached(symbol, 'direct').some(({ changes }) => changes),
  });
}

/** The name of the function that starts a sequence, if the call is one of it. */
function startOf(checker: ts.TypeChecker, { expression }: ts.CallExpression): string | undefined {
  if (!ts.isIdentifier(expression) || !starts.has(expression.text)) return undefined;
  const declared = realSymbol(checker, expression)?.declarations ?? [];
  const isOurs = declared.some((each) => each.getSourceFile().fileName.endsWith('/src/bofh.ts'));
  return isOurs ? expression.text : undefined;
}

interface Facts {
  readonly codes: Set<string>;
  readonly calls: Set<ts.Node>;
  /** Those that it calls itself, and does not only hand on. */
  readonly direct: Set<ts.Node>;
  changes: boolean;
}

function realSymbol(checker: ts.TypeChecker, node: ts.Identifier): ts.Symbol | undefined {
  const symbol = ts.isShorthandPropertyAssignment(node.parent)
    ? checker.getShorthandAssignmentValueSymbol(node.parent)
    : checker.getSymbolAtLocation(node);
  if (symbol === undefined || (symbol.flags & ts.SymbolFlags.Alias) === 0) return symbol;
  return checker.getAliasedSymbol(symbol);
}

/** The code of a function, or of the value of a constant at the top of a file. */
function bodiesOf(symbol: ts.Symbol): readonly ts.Node[] {
  return (symbol.declarations ?? []).flatMap((declared) => {
    const { fileName } = declared.getSourceFile();
    if (!fileName.includes('/src/') || common.test(fileName)) return [];
    if (ts.isFunctionDeclaration(declared) || ts.isMethodDeclaration(declared)) return declared.body ?? [];
    if (ts.isVariableDeclaration(declared) && ts.isSourceFile(declared.parent.parent.parent))
      return declared.initializer ?? [];
    return [];
  });
}

/** The code that an error is created with: that of its options, of its holders, or of its class. */
function codeOf(checker: ts.TypeChecker, made: ts.NewExpression): string | undefined {
  if (!ts.isIdentifier(made.expression)) return undefined;
  const declared = realSymbol(checker, made.expression)?.declarations?.find(ts.isClassDeclaration);
  if (declared === undefined || !declared.getSourceFile().fileName.endsWith('/core/errors.ts'))
    return undefined;
  const options = made.arguments?.find(ts.isObjectLiteralExpression);
  for (const property of options?.properties ?? []) {
    const name = property.name?.getText();
    if (name === 'code' && ts.isPropertyAssignment(property) && ts.isStringLiteral(property.initializer))
      return property.initializer.text;
    if (name === 'holders') return 'in-use';
  }
  return ofClass(checker, declared);
}

function ofClass(checker: ts.TypeChecker, declared: ts.ClassDeclaration): string | undefined {
  const usual = declared.members.find(
    (each): each is ts.MethodDeclaration =>
      ts.isMethodDeclaration(each) && each.name.getText() === 'usualCode',
  );
  const returned = usual?.body?.statements.find(ts.isReturnStatement)?.expression;
  if (returned !== undefined) return ts.isStringLiteral(returned) ? returned.text : undefined;
  if (declared.name?.text === 'RefusedError') return 'refused';
  const [parent] = declared.heritageClauses?.flatMap(({ types }) => types) ?? [];
  if (parent === undefined || !ts.isIdentifier(parent.expression)) return undefined;
  const above = realSymbol(checker, parent.expression)?.declarations?.find(ts.isClassDeclaration);
  return above === undefined ? undefined : ofClass(checker, above);
}
