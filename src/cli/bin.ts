#!/usr/bin/env node
import { main } from './runtime/main.ts';

void main(process.argv.slice(2));
