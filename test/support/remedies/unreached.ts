/**
 * Why no test of `npm run test:remedies` makes an error whose remedy names a command, by the file and the code that
 * makes it. Whoever adds a line has read the remedy and found it right.
 */
export const unreached: readonly (readonly [reason: string, place: RegExp])[] = [
  [
    'another process changed the object between two looks of one step',
    /changed; nothing|concurrently|was replaced while|meanwhile|is another|no longer|was started again|not there as it was|is gone|old place|another volume|were edited|was booted while|is being detached|mounted on .* more than once/,
  ],
  [
    'a program reported success and did something else',
    /reported success|did not|does not see|does not report|does not say|does not know|instead of|could not be|succeeded, but|has ended, and|is a snapshot of .*, not of/,
  ],
];
