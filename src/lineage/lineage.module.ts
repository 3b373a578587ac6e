import { Module } from '@nestjs/common';
import { Lineage } from './lineage.js';

@Module({ providers: [Lineage], exports: [Lineage] })
export class LineageModule {}
