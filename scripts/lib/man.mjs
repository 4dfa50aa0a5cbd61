// The manual pages, from the same commands as --help: bofh(1), and one page for each noun.

/** Text for troff: a backslash, a hyphen that is typed, and a control character at the start of a line. */
export function troff(text) {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/^(?=[.'])/gm, '\\&');
}

/** Returns the pages by file name, from the root command. */
export function manPages(root, version) {
  const own = root.commands.filter((command) => command.name() !== 'help');
  const pages = new Map([['bofh.1', rootPage(root, own, version)]]);
  for (const command of own) pages.set(`bofh-${command.name()}.1`, nounPage(command, version));
  return pages;
}

function rootPage(root, nouns, version) {
  return page([
    header('bofh', root, version),
    '.SH SYNOPSIS',
    `.B bofh\n[options] noun verb [arguments]`,
    '.SH OPTIONS',
    'These options may stand before or after the command (noun and verb).',
    ...optionLines(root),
    '.SH COMMANDS',
    ...nouns.flatMap((noun) => ['.TP', `.BR bofh\\-${troff(noun.name())} (1)`, troff(noun.description())]),
    ...afterwards(root),
    '.SH FILES',
    ...entry('/etc/bofh/site-specific.ts', 'the settings of the site (--site names another file)'),
    ...entry('/var/lib/bofh', 'the journals of root (--state-dir names another directory)'),
    ...entry('~/.local/state/bofh', 'the journals of other users'),
    '.SH ENVIRONMENT',
    ...entry('BOFH_SITE', 'as --site'),
    ...entry('BOFH_STATE_DIR', 'as --state-dir'),
    ...entry(
      'BOFH_PAGER, PAGER',
      'the pager for long answers on a terminal (default: less); empty or cat: none',
    ),
    ...entry(
      'LESS, LESSSECURE',
      'LESS: options of less (default: FRX). LESSSECURE=1: less starts no shell (default for root)',
    ),
    ...entry(
      'NO_COLOR, FORCE_COLOR',
      'NO_COLOR (if not empty): no colours. FORCE_COLOR (if not empty): always colours. --color overrides both',
    ),
  ]);
}

function nounPage(noun, version) {
  const verbs = leaves(noun);
  return page([
    header(`bofh-${noun.name()}`, noun, version),
    '.SH SYNOPSIS',
    verbs.map((verb) => `.B ${troff(nameOf(verb))}\n${troff(verb.usage())}`).join('\n.br\n'),
    '.SH COMMANDS',
    ...verbs.flatMap(verbLines),
    '.SH SEE ALSO',
    '.BR bofh (1)\nhas the options that every command takes, and the exit codes.',
  ]);
}

function verbLines(verb) {
  return [
    `.SS ${troff(nameOf(verb))}`,
    `${troff(verb.description())}.`,
    ...verb.registeredArguments
      .filter(({ description }) => description !== '')
      .flatMap((argument) => entry(argument.name(), argument.description)),
    ...optionLines(verb),
    ...afterwards(verb),
  ];
}

/** Returns the verbs below a command, or the command itself if it is a verb. */
function leaves(command) {
  const inner = command.commands.filter((each) => each.name() !== 'help');
  return inner.length === 0 ? [command] : inner.flatMap(leaves);
}

function nameOf(command) {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}

function optionLines(command) {
  return command
    .createHelp()
    .visibleOptions(command)
    .filter(({ long }) => long !== '--help')
    .flatMap((option) => entry(option.flags, command.createHelp().optionDescription(option)));
}

function entry(term, text) {
  return ['.TP', `.B ${troff(term)}`, troff(text)];
}

/** Returns what --help prints below the options: examples, exit codes. */
function afterwards(command) {
  let text = '';
  command.configureOutput({ writeOut: (more) => (text += more) });
  command.outputHelp();
  const [, title, lines] = /\n(Examples|Exit codes):\n(.+)$/s.exec(text) ?? [];
  if (title === undefined) return [];
  const heading = title === 'Examples' ? '.PP\nExamples:' : `.SH ${title.toUpperCase()}`;
  return [heading, '.RS', '.nf', troff(lines.trimEnd().replaceAll(/^ {2}/gm, '')), '.fi', '.RE'];
}

function header(name, command, version) {
  return [
    `.TH ${troff(name.toUpperCase())} 1 "" "bofh ${version}" "bofh"`,
    '.SH NAME',
    `${troff(name)} \\- ${troff(command.description())}`,
  ].join('\n');
}

function page(lines) {
  return `${lines.join('\n')}\n`;
}
