const filesOnly = 'it starts no program that changes anything: files are changed by system calls';

/** For operations that change files alone, and ask programs what there is. */
export const noChange = {
  'acts and is killed': filesOnly,
  hangs: filesOnly,
  'exits 0 but did nothing': filesOnly,
} as const;

/** For operations on files alone: the columns of the matrix that a program would have to fail in. */
export const noProgram = { ...noChange, 'answers garbage': 'it starts no program' } as const;
