package desired

// The ports of the echo pods and of Redis. They are contracts.
const (
	// HTTPPort answers clients over HTTP/1.1 and HTTP/2.
	HTTPPort int32 = 8080
	// AdminPort has health, the limits in force and metrics; it is never limited
	// and not part of the Service.
	AdminPort int32 = 8081
	// RedisPort is the managed Redis' port.
	RedisPort int32 = 6379

	adminPortName = "admin"
	redisPortName = "redis"
)

// clientPort is a port of the echo pods that clients use.
type clientPort struct {
	name        string
	number      int32
	appProtocol string
}

// clientPorts are published by the Service and open to every pod.
func clientPorts() []clientPort {
	return []clientPort{
		{name: "http", number: HTTPPort, appProtocol: "http"},
	}
}
