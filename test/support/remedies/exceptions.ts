/**
 * Why a command that a remedy names fails on the copy of a test's host, by the remedy, the command and its error. A new line needs
 * somebody who has checked the remedy.
 */
export const exceptions: readonly (readonly [reason: string, remedy: RegExp])[] = [
  [
    'an unfinished sequence continues only after the commands for its steps',
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
  ['it asks for a key, and the test types none', /crypt (?:open|reencrypt)|No key available/],
  [
    'the reader must edit or move something first',
    /^(?:write|move|edit|mend|set another) .* => bofh (?:recover|drbd adjust)/,
  ],
  ['it is for one of two cases ("if"), and the test has the other', /(?:^|[;.] )[Ii]f .* => /],
  [
    'the sequence itself had created the obstacle, and its undo removed it',
    /^end that use first: .*not mounted|is not active\.$/,
  ],
  ['only e2fsck can tell whether it can repair the filesystem', /^bofh filesystem check .* --repair/],
  [
    'the tool reported success without effect, so there is nothing to look at',
    /^look at it: cryptsetup luksDump/,
  ],
  ['the size that the test inserts is too large', /can never use more than/],
  [
    'the object to remove is itself in use, and the refusal names the holder',
    /^remove them first: .* is in use: /,
  ],
  ['recovery is stuck, and names what is left', /bofh recover \w+: exit 3/],
  [
    'the sequence of the test was not yet undone when its step failed',
    /^add another key first: .* belongs to the unfinished sequence/,
  ],
  ['it shows the lines of the journal, and fails after them', /^see what can be read: bofh journal show \w+/],
  ['the test has another guest with this name', /is not that of the running guest/],
  ['the simulated host lacks the module of DRBD', /Module drbd not found|the module of DRBD is not loaded/],
  ['the process is only a row of ps in the test', /^end them: loginctl .* => kill .*no such process/],
  ['the test has no configuration of the guest', /bofh vm resume \S+ => .*no guest \S+ is configured/],
  ['the repositories of the test lack the package', /Unable to locate package/],
];
