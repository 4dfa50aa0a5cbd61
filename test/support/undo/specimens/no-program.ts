const filesOnly = 'it starts no program that changes anything: files are changed by system calls';

/** For operations on files alone: the columns of the matrix that a program would have to fail in. */
export const noProgram = {
  'acts and is killed': filesOnly,
  hangs: filesOnly,
  'exits 0 but did nothing': filesOnly,
  'answers garbage': 'it starts no program',
} as const;
