-- Sample data: eight members, five venues, six events. People, companies and contacts are invented; the addresses end
-- in .example and the telephone numbers in a row of zeros, so that nobody is ever written to or called.
-- Dates are counted from the day of loading, so that there is always something to register for.

INSERT INTO users (id, display_name, profession, company, city, bio, membership, member_since, email, phone) VALUES
  (1, '林雅婷 Lin Ya-ting', 'Cardiothoracic surgeon', 'Renai Heart Center', 'Taipei',
   'Leads a transplant team by day, hosts a table for eight most months.', 'black card', '2022-03-14',
   'yating.lin@renai-heart.example', '+886 912 000 001'),
  (2, '陳志明 Chen Chih-ming', 'Venture partner', 'Formosa Deeptech Partners', 'Taipei',
   'Backs semiconductor and photonics founders; collects Burgundy and old sailing charts.', 'diamond', '2022-09-02',
   'cm.chen@formosa-deeptech.example', '+886 912 000 002'),
  (3, '黃詩涵 Huang Shih-han', 'Principal architect', 'Studio Hanhai', 'Taichung',
   'Designs concert halls. Plays second violin in an amateur quartet that is better than it admits.', 'diamond', '2023-01-19',
   'shihhan@studio-hanhai.example', '+886 912 000 003'),
  (4, '王建豪 Wang Chien-hao', 'Hotelier', 'Clearwater Retreats', 'Yilan',
   'Third generation in hospitality; opened two hot-spring retreats on the east coast.', 'black card', '2021-11-30',
   'chienhao.wang@clearwater-retreats.example', '+886 912 000 004'),
  (5, 'Priya Raghunathan', 'International tax counsel', 'Raghunathan & Lowe', 'Singapore',
   'Advises family offices across Asia. In Taipei every second week, always with running shoes.', 'diamond', '2023-06-08',
   'priya@raghunathan-lowe.example', '+65 8000 0005'),
  (6, '佐藤美咲 Sato Misaki', 'Gallery director', 'Gallery Aoba', 'Tokyo',
   'Shows young ink painters from Kyoto, Tainan and Seoul; speaks four languages and listens in all of them.', 'platinum', '2024-02-22',
   'misaki@gallery-aoba.example', '+81 90 0000 0006'),
  (7, '張家維 Chang Chia-wei', 'Airline captain', 'Pacific Meridian Air', 'Taoyuan',
   'Twenty years on long haul. Holds an ocean skipper licence and brings the weather briefing himself.', 'platinum', '2023-10-11',
   'chiawei.chang@pacific-meridian.example', '+886 912 000 007'),
  (8, 'Daniel Okafor', 'Chief technology officer', 'Lantern Robotics', 'Hsinchu',
   'Builds surgical robots; moved from Lagos by way of Zurich and stayed for the mountains.', 'diamond', '2024-05-17',
   'daniel@lantern-robotics.example', '+886 912 000 008');

INSERT INTO venues (id, name, address, city, capacity) VALUES
  (1, 'The Camphor Room', '8F, No. 27, Lane 161, Dunhua South Road Section 1', 'Taipei', 40),
  (2, 'Hanhai Recital Hall', 'No. 5, Huilai Road Section 2', 'Taichung', 220),
  (3, 'Wushi Harbour, Pier 3', 'No. 15, Section 2, Qingyun Road, Toucheng', 'Yilan', 24),
  (4, 'Clearwater Retreat Jiaoxi', 'No. 88, Wenquan Road, Jiaoxi', 'Yilan', 60),
  (5, 'Gallery Aoba Taipei', 'No. 12, Alley 4, Lane 46, Zhongshan North Road Section 2', 'Taipei', 80);

-- `days` is when the event is, `closes` how many days before that registration ends. Times are Taipei's.
INSERT INTO events (id, title, description, category, venue_id, host_id, starts_at, ends_at, registration_closes_at,
                    status, dress_code, price_twd, capacity, seats_taken)
SELECT id, title, description, category, venue_id, host_id,
       timezone('Asia/Taipei', current_date + days + starts),
       timezone('Asia/Taipei', current_date + days + starts) + to_hours(hours),
       timezone('Asia/Taipei', current_date + days + starts) - to_days(closes),
       'published', dress_code, price_twd, capacity, seats_taken
FROM (VALUES
  (1, 'Table for Eight, Eight Courses',
   'A tasting menu of the east coast by a chef who cooks for one table a night. Seats are drawn by the hostess.',
   'dining', 1, 1, 18, TIME '19:00', 4, 5, 'Cocktail', 12800, 8, 4),
  (2, 'Burgundy Before the Harvest',
   'Twelve wines from four villages, poured blind, with the growers on screen. Bring a wine that you would defend.',
   'wine', 1, 2, 27, TIME '18:30', 4, 7, 'Smart casual', 9600, 30, 5),
  (3, 'An Evening of Late Quartets',
   'Beethoven Op. 131 and a new work for strings and guqin, followed by supper on stage with the players.',
   'arts', 2, 3, 41, TIME '19:30', 3, 3, 'Black tie optional', 6800, 180, 3),
  (4, 'Turtle Island at Dawn',
   'Two sloops, six guests each trip, out of Wushi Harbour before sunrise. Dolphins likely, coffee certain.',
   'sailing', 3, 7, 12, TIME '04:30', 5, 2, 'Deck shoes', 5400, 6, 6),
  (5, 'Founders and Surgeons: Robotics in the Operating Theatre',
   'A closed round table on what hospitals will really buy, with a live demonstration. Chatham House rules.',
   'business', 5, 8, 2, TIME '14:00', 4, 4, 'Business', 3200, 24, 4),
  (6, 'Hot Springs and Silence',
   'A weekend without telephones in Jiaoxi: forest walk, tea ceremony, and a doctor who answers questions about sleep.',
   'wellness', 4, 4, 55, TIME '15:00', 44, 14, 'Comfortable', 22500, 20, 2)
) AS seed (id, title, description, category, venue_id, host_id, days, starts, hours, closes, dress_code, price_twd,
           capacity, seats_taken);

INSERT INTO registrations (event_id, user_id, registered_at)
SELECT event_id, user_id, timezone('Asia/Taipei', current_date - days_ago + registered)
FROM (VALUES
  (1, 2, 9, TIME '09:12'), (1, 3, 9, TIME '09:40'), (1, 5, 8, TIME '22:05'), (1, 6, 3, TIME '13:31'),
  (2, 1, 14, TIME '08:02'), (2, 4, 13, TIME '19:27'), (2, 5, 13, TIME '20:11'), (2, 7, 6, TIME '07:45'),
  (2, 8, 2, TIME '23:18'),
  (3, 1, 11, TIME '12:20'), (3, 6, 10, TIME '10:00'), (3, 8, 1, TIME '18:54'),
  (4, 1, 20, TIME '05:50'), (4, 2, 20, TIME '06:03'), (4, 3, 19, TIME '21:36'), (4, 4, 18, TIME '16:10'),
  (4, 5, 18, TIME '17:42'), (4, 8, 17, TIME '11:15'),
  (5, 1, 25, TIME '09:30'), (5, 2, 25, TIME '09:31'), (5, 5, 16, TIME '15:00'), (5, 7, 9, TIME '20:48'),
  (6, 1, 4, TIME '21:00'), (6, 3, 4, TIME '21:07')
) AS seed (event_id, user_id, days_ago, registered);
