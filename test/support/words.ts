import fc from 'fast-check';

const special = Array.from(' \t\n\r\\\'"`$*?[]{}()<>|&;#~!=%^-a0é€\u{1f600}');

/** Any text but one with NUL, which no argument can have; much of it is what a shell cares for. */
export const shellWord: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary' }).map((text) => Buffer.from(text.replaceAll('\0', '0')).toString('utf8')),
  fc.string({ unit: fc.constantFrom(...special) }),
  fc.constantFrom('', '-', '--', '-n', '~root', 'a=b', '$(id)', "'", "''", '\n', ' ', '\\', '*', '!!'),
);
