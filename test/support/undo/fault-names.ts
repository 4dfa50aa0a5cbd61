/** The columns of the matrix, in the order in which they are shown. */
export const faultNames = [
  'tool fails at once',
  'acts, then fails',
  'acts and is killed',
  'hangs',
  'exits 0 but did nothing',
  'answers garbage',
  'disk full in the journal',
  'inverse fails once',
  'inverse fails always',
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'SIGKILL',
  'second SIGKILL during recovery',
  'reboot before recovery',
  'power cut',
  'torn tail',
  'flipped bit',
  'foreign content',
  'identity reused',
  'the world moved on',
  'out of reach',
  'hangs in the undo at boot',
  'undone after the commit',
] as const;

/** What goes wrong. */
export type FaultName = (typeof faultNames)[number];
