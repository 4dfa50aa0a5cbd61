export { classifyDevice, groupsOfPvs, wipeSignatures } from './commands.ts';
export { bytesAt } from './bytes-at.ts';
export { blankChanged, deviceWitness, isMountedForWriting, isZero, partWitness } from './content/head.ts';
export { outOfGroup } from './content/member.ts';
export { checkOverwrite, type Overwrite, overwriteSchema } from './content/overwrite.ts';
export { refuseChanged, replaceable } from './content/replaceable.ts';
export { streamMagic } from './content/stream.ts';
export { refuseUnread, unseen } from './content/unseen.ts';
export { contentInWords, sameContent } from './content/words.ts';
export {
  busyWith,
  describeMount,
  everyHolder,
  fileHolders,
  holders,
  inWords,
  mountHolders,
  mountsElsewhere,
  namingHolders,
  remedyFor,
} from './holders/index.ts';
export { mountsOn } from './holders/tree.ts';
export { escapePath } from './holders/units.ts';
export { identityOf, isIdentity, keysOf, splitLvmName, movedFrom } from './keys.ts';
export { bootOfName, identityAt, locate, refuseElsewhere, syncDevice, twinOf } from './locate.ts';
export { imageArgs, imageCreation, imageUndo, isSame, makeImage, refuseUsedFile } from './image/new-image.ts';
export { loopDevices, loopsBehind, loopShowing } from './loop/reads.ts';
export { attachment, type LoopDevice } from './loop/schema.ts';
export { mountAt, mountsUnder, volatile } from './mount-under.ts';
export { type MountEntry, mountEntries, mountOver, parseMountinfo, visible } from './mountinfo.ts';
export { type DeviceNode, deviceNode, kernelText, numberAt, size, sizeOf } from './node.ts';
export { refuseWriteProtected } from './write-protected.ts';
export { refuseGuests, refuseHeld, refuseUsers } from './in-use.ts';
export { partitionsOf, type PartitionsOf } from './partitions/reads.ts';
export { typeInWords } from './partitions/types.ts';
export { oneLook } from './one-look.ts';
export { isWithoutMedium, probe, probeFile, probeTogether, recognise, sizeOfMedium } from './probe.ts';
export { sizeTooSmall, reachAs, reachOf, usersBeyond } from './reach.ts';
export { type Signature, signatureSchema } from './schema.ts';
export { until } from './wait.ts';
export { writeBytes } from './wipe/commands.ts';
export { type XfsGeometry, xfsGeometry } from './xfs.ts';
export { linkOf, tagIn } from './tag.ts';
