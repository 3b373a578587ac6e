import { Module } from '@nestjs/common';
import { BlockPool } from './block-pool.js';

@Module({ providers: [BlockPool], exports: [BlockPool] })
export class BlockPoolModule {}
