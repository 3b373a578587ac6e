import { Module } from '@nestjs/common';
import { DatabaseModule } from '../database/database.module.js';
import { EventsController } from './events.controller.js';
import { EventsService } from './events.service.js';
import { RegistrationService } from './registration.service.js';
import { UsersController } from './users.controller.js';

/** The sample domain. */
@Module({
  imports: [DatabaseModule],
  controllers: [EventsController, UsersController],
  providers: [EventsService, RegistrationService],
})
export class EventsModule {}
