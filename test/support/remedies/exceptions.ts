/**
 * Why a command that a remedy names fails on the copy of a test's host, by the remedy, the command and its error. Whoever adds
 * a line has looked at the remedy and found it right.
 */
export const exceptions: readonly (readonly [reason: string, remedy: RegExp])[] = [
  [
    'an unfinished sequence goes on only after what its steps say, line by line',
    /^bofh journal show \w+; bofh recover/,
  ],
  ['it needs the other host, which the test does not reach', /is not known here|cannot be reached/],
  [
    'the command is for the second of two cases ("or, if"), and the test has the first',
    /or, if [^=]*?: (?<second>[^;]+?)(?:; [^=]*)? => \k<second>: /,
  ],
  [
    'the test calls a disk Diskless that the simulated DRBD still has open',
    /^attach it first: .* stores \/dev\/drbd/,
  ],
  ['it asks for a key, and nobody types one', /crypt (?:open|reencrypt)|No key available/],
  [
    'the reader edits or moves something first',
    /^(?:write|move|edit|mend|set another) .* => bofh (?:recover|drbd adjust)/,
  ],
  ['it is for one of two cases ("if"), and the test has the other', /(?:^|[;.] )[Ii]f .* => /],
  [
    'what is in the way was made by the sequence itself, and went with it',
    /^end that use first: .*not mounted|is not active\.$/,
  ],
  ['whether e2fsck can mend it, only e2fsck knows', /^bofh filesystem check .* --repair/],
  ['the tool lied, and left nothing to look at', /^look at it: cryptsetup luksDump/],
  ['a size that is put in for the reader is too large', /can use .* at most/],
  [
    'the object to remove is in use itself, and the refusal says by whom',
    /^remove them first: .* is in use: /,
  ],
  ['recovery ends with what is left, and names it', /bofh recover \w+: exit 3/],
  [
    'the sequence of the test was not yet undone when its step failed',
    /^add another key first: .* belongs to the unfinished sequence/,
  ],
  ['it shows the lines of the journal, and fails after them', /^see what can be read: bofh journal show \w+/],
  ['the test has another guest under the name', /is not that of the running guest/],
  ['the simulated host lacks the module of DRBD', /Module drbd not found|the module of DRBD is not loaded/],
  ['the repositories of the test lack the package', /Unable to locate package/],
];
