# Active Record, with the function of doc/clients.md: executed by ../ruby.js
#
# The first argument is a JSON object: the connection's parameters, and the users with the ids that
# they must see; the second is a file with the function. Prints a JSON object with what was seen.

require 'active_record'
require 'json'

POOL = 3
SELECT = 'SELECT id FROM app.item ORDER BY id'.freeze
WHO = 'SELECT cnap_current_user() IS NULL AND NOT EXISTS (SELECT FROM app.item), pg_sleep(0.02)::text'.freeze

world = JSON.parse(ARGV[0])
users = world['expected'].keys
load ARGV[1]

ActiveRecord::Base.establish_connection(
  world['connection'].merge('adapter' => 'postgresql', 'pool' => POOL, 'checkout_timeout' => 120)
)

def query(text)
  ActiveRecord::Base.connection.select_values(text)
end

def ids
  query(SELECT)
end

# What work returns for each of a list, in some threads at once
def in_threads(list, &work)
  queue = Queue.new
  results = Array.new(list.size)
  list.each_with_index { |one, i| queue << [one, i] }
  threads = Array.new(4 * POOL) do
    Thread.new do
      until queue.empty?
        one, i = begin
          queue.pop(true)
        rescue ThreadError
          break
        end
        results[i] = ActiveRecord::Base.connection_pool.with_connection { work.call(one) }
      end
    end
  end
  threads.each(&:join)
  results
end

def kind
  yield
rescue StandardError => e
  e.message[/division by zero|of the program|canceling statement/] || e.message
end

crowd = -> { in_threads(users + users) { |user| as_user(user) { ids } } }
left = -> { in_threads([nil] * 4 * POOL) { query(WHO)[0] } }
fail_in = lambda do |n|
  kind do
    as_user(users[n]) do
      ids if n % 4 != 0
      query('SELECT 1 / 0') if n.even?
      raise 'of the program'
    end
  end
end

seen = { 'crowd' => crowd.call, 'errors' => in_threads((0...users.size).to_a, &fail_in), 'left' => left.call }
seen['cancelled'] = kind { as_user(users[0]) { query('SELECT pg_sleep(300)::text') } }
seen['left again'] = left.call
seen['crowd again'] = crowd.call
seen['void'] = as_user(world['owner']) do
  query("SELECT cnap_update_workspace('#{world['workspace']}', name => 'new')")
end

# the query cache, with the function and without
seen['cached'] = ActiveRecord::Base.cache { users.first(3).map { |user| as_user(user) { [ids, ids].uniq } } }
seen['trap'] = ActiveRecord::Base.cache do
  [users[0], users[29]].map do |user|
    ActiveRecord::Base.transaction do
      connection = ActiveRecord::Base.connection
      connection.execute("SELECT set_config('cnap.user_id', #{connection.quote(user)}, true)")
      ids
    end
  end
end
puts seen.to_json
